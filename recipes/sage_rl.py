"""SAGE, stage 2: reinforcement learning for hits, variety and the cold, with one ratio per answer.

accelerate launch recipes/sage_rl.py
accelerate launch recipes/sage_rl.py --diversity_weight 0 --eps_boost 0 --widen 0 --run_dir runs/sage_ml100k

Samples a group of names per training history over the trie of known items, rewards each by three objectives, validates
NDCG@10 and keeps the best weights. Needs <run_dir>/sft; writes the recommender folder <run_dir>/rl and a new report.
"""

from pathlib import Path

from genrec.run import parse_stage, stage_session
from genrec.versions import check
from sage.rl.config import SageRLConfig
from sage.settings import RLArguments

CONFIG = Path(__file__).parent / "configs/sage/tiny_ml100k/rl.yaml"


def main() -> None:
    """Run the stage."""
    arguments, config = parse_stage([RLArguments, SageRLConfig], CONFIG, __doc__)
    check()
    with stage_session("rl", arguments, config, after=("sft",)) as session:
        if session.skip:
            return
        from sage.stages.run import estimate_rl, judge_rl, train_rl

        if arguments.estimate:
            print(estimate_rl(arguments, config))
            return
        data, recommender = train_rl(session, arguments, config)
        if session.is_main:
            print(f"open {judge_rl(session, arguments, config, data, recommender)}")


if __name__ == "__main__":
    main()
