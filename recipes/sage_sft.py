"""SAGE, stage 1: a language model learns to recommend by writing item names, weighing the cold and varying its lists.

accelerate launch recipes/sage_sft.py
accelerate launch recipes/sage_sft.py --config recipes/configs/sage/tiny_ml1m/sft.yaml --list_weight 0 --run_dir runs/x

Splits the data into known and new users and items, names the items in the tokenizer's own tokens, trains on the
known, judges three scenes beside Popularity, SASRec, content baselines, MMR and DPP. `--vocabulary rq_index` or
`atomic` trains the two generators it is compared with. Writes the recommender folder
<run_dir>/sft, metrics.json and report.html.
"""

from pathlib import Path

from trl import SFTConfig

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from sage.settings import SftArguments

CONFIG = Path(__file__).parent / "configs/sage/tiny_ml100k/sft.yaml"


def main() -> None:
    """Run the stage."""
    arguments, config = parse_stage([SftArguments, SFTConfig], CONFIG, __doc__)
    check()
    with stage_session("sft", arguments, config, content=content_hash(arguments.dataset)) as session:
        if session.skip:
            return
        from sage.stages.run import estimate_sft, judge_sft, train_sft

        if arguments.estimate:
            print(estimate_sft(arguments, config, session))
            return
        data, recommender = train_sft(session, arguments, config)
        if session.is_main:
            print(f"open {judge_sft(session, arguments, config, data, recommender)}")


if __name__ == "__main__":
    main()
