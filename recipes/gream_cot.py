"""Stage 2: five-stage chains of thought over training interactions, from the offline teacher.

accelerate launch recipes/gream_cot.py
accelerate launch recipes/gream_cot.py --config recipes/configs/gream/tiny_beauty/cot.yaml

The same as `python -m data_synthesis cot`, with the folders of a run. Writes <run_dir>/cot/train.jsonl.
"""

from pathlib import Path

from genrec.run import parse_stage, stage_session
from genrec.versions import check
from gream.settings import CotArguments

CONFIG = Path(__file__).parent / "configs/gream/tiny_ml100k/cot.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([CotArguments], CONFIG, __doc__)
    check()
    with stage_session("cot", arguments, after=("index",)) as session:
        if session.skip or not session.is_main:
            return
        from data_synthesis.config import CotConfig
        from data_synthesis.cot import synthesize_chains
        from gream.workspace import Workspace

        workspace = Workspace(Path(arguments.run_dir))
        config = CotConfig(
            max_chains=max(arguments.max_chains, 0),
            per_user=arguments.per_user,
            max_history=workspace.prompts.max_history,
            style=workspace.prompts.style,
            split=workspace.split_kind,
            seed=arguments.seed,
        )
        if arguments.estimate:
            print(f"at most {config.max_chains or 'as many as there are'} chains, over 1,000 a second, under 1 GiB")
            return
        session.facts.update(synthesize_chains(workspace.dataset, config, workspace.chains_path).statistics)


if __name__ == "__main__":
    main()
