"""Train and judge SASRec: data, training with early stopping on validation NDCG@10, full ranking, report.

accelerate launch recipes/sasrec_train.py
accelerate launch recipes/sasrec_train.py --config recipes/configs/sasrec/beauty/train.yaml

Writes model, vectors and ranks into <run_dir>/train and metrics.json, report.md and report.html into <run_dir>. The
same command continues a killed run.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.run.rankers.settings import SasrecArguments
from genrec.versions import check

CONFIG = Path(__file__).parent / "configs/sasrec/ml100k/train.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([SasrecArguments], CONFIG, __doc__)
    check()
    content = content_hash(arguments.dataset, arguments.items)
    with stage_session("train", arguments, content=content) as session:
        if session.skip:
            return
        from genrec.backbones.sasrec import SASRec, SASRecConfig
        from genrec.run.rankers.judge import RankerJudge
        from genrec.run.rankers.train import estimate_ranker, load_data, train_ranker

        dataset, split = load_data(arguments)
        model = SASRec(dataset.num_items, arguments.shape(SASRecConfig), arguments.seed)
        if arguments.estimate:
            print(estimate_ranker(model, split, arguments))
            return
        session.facts.update(train_ranker(model, split, arguments, session))
        if session.is_main:
            report = RankerJudge(session, dataset, split, arguments).run(
                f"SASRec ({arguments.loss})", model, session.facts
            )
            print(f"open {report}")


if __name__ == "__main__":
    main()
