"""LLMRec, stage 3: ranking, text quality, reason accuracy before and after the checker, gain after feedback.

accelerate launch recipes/llmrec_eval.py
accelerate launch recipes/llmrec_eval.py --chat http://localhost:8000/v1#my-model --run_dir runs/llmrec_ml100k

Asks rules, attention explanations, the fine-tuned head (where stage reasons ran) and a prompted model (--chat) the same
questions; lets simulated users talk back for three turns; writes a blind rating sheet. Needs <run_dir>/align.
"""

from pathlib import Path

from genrec.run import parse_stage, stage_session
from genrec.run.state import read_state
from genrec.versions import check
from llmrec.generative.settings import EvalArguments

CONFIG = Path(__file__).parent / "configs/llmrec/ml100k/eval.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([EvalArguments], CONFIG, __doc__)
    check()
    reasons = read_state(Path(arguments.run_dir) / "reasons")  # the stage may be left out, but not go unnoticed
    content = str(reasons.get("fingerprint", "")) if reasons.get("finished") else ""
    with stage_session("eval", arguments, after=("align",), content=content) as session:
        if session.skip:
            return
        from llmrec.generative.judging import judge

        if arguments.estimate:
            print(f"{arguments.list_users} lists and {arguments.text_users} reasons per writer: minutes")
            return
        if session.is_main:
            print(f"open {judge(session, arguments)}")


if __name__ == "__main__":
    main()
