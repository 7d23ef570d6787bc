"""Stage 6: judge every finished stage in both modes, beside the baselines, and write the report.

accelerate launch recipes/gream_eval.py
accelerate launch recipes/gream_eval.py --reasoning_users 1000 --reasoning_samples 10 --results results/gream.json
accelerate launch recipes/gream_eval.py --mode reasoning --engine vllm --stages srpo
accelerate launch recipes/gream_eval.py --mode direct --engine server --stages srpo --compare eval_modes/other.jsonl

One mode alone is judged over all users, line by line, so that a killed evaluation continues; several processes
(`accelerate launch --num_processes 4`) take a share of the users each. Without --mode, direct
mode ranks the full catalogue for all test users; reasoning mode samples chains for a fixed set of users. Writes
report.md, report.html and metrics.json into the run folder.
"""

from pathlib import Path

from genrec.run import finished_stages, parse_stage, stage_session
from genrec.versions import check
from gream.settings import EvalArguments

CONFIG = Path(__file__).parent / "configs/gream/tiny_ml100k/eval.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([EvalArguments], CONFIG, __doc__)
    check()
    judged = finished_stages(arguments.run_dir, arguments.stage_names)  # rows of a retrained stage are not kept
    if (
        arguments.mode != "all" and not arguments.estimate
    ):  # no stage of the run: journals of any settings live side by side
        from gream.evaluate.modes.run import judge_modes

        print(*judge_modes(arguments, judged), sep="\n")
        return
    with stage_session("eval", arguments, after=("index", *judged)) as session:
        if session.skip or not session.is_main:
            return
        from gream.judging import Judge, estimate_judging

        if arguments.estimate:
            print(estimate_judging(arguments))
            return
        files = Judge(session, arguments).run()
        print(f"open {files['report.html']}")


if __name__ == "__main__":
    main()
