"""Train and judge BERT4Rec: data, training with early stopping on validation NDCG@10, full ranking, report.

accelerate launch recipes/bert4rec_train.py
accelerate launch recipes/bert4rec_train.py --config recipes/configs/bert4rec/beauty/train.yaml

Writes model, vectors and ranks into <run_dir>/train and metrics.json, report.md and report.html into <run_dir>. The
same command continues a killed run.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.run.rankers.settings import Bert4recArguments
from genrec.versions import check

CONFIG = Path(__file__).parent / "configs/bert4rec/ml100k/train.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([Bert4recArguments], CONFIG, __doc__)
    check()
    content = content_hash(arguments.dataset, arguments.items)
    with stage_session("train", arguments, content=content) as session:
        if session.skip:
            return
        from genrec.backbones.bert4rec import BERT4Rec, BERT4RecConfig
        from genrec.run.rankers.judge import RankerJudge
        from genrec.run.rankers.train import estimate_ranker, load_data, train_ranker

        dataset, split = load_data(arguments)
        model = BERT4Rec(dataset.num_items, arguments.shape(BERT4RecConfig), arguments.seed)
        if arguments.estimate:
            print(estimate_ranker(model, split, arguments))
            return
        session.facts.update(train_ranker(model, split, arguments, session))
        if session.is_main:
            report = RankerJudge(session, dataset, split, arguments).run(
                f"BERT4Rec ({arguments.loss})", model, session.facts
            )
            print(f"open {report}")


if __name__ == "__main__":
    main()
