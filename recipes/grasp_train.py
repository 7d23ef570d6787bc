"""Train and judge GRASP or a baseline that reads the same descriptions: store, training, full ranking, report.

accelerate launch recipes/grasp_train.py
accelerate launch recipes/grasp_train.py --config recipes/configs/grasp/beauty/train.yaml --backbone gru4rec

`--arm` chooses grasp, plain, rlmrec, llminit or llm_esr; `--attention`, `--similar`, `--global_features` false and
`--softmax true` are the ablations. Descriptions come from `data_synthesis` (`--item_texts`, `--user_texts`), else from
catalogue and training histories. Writes the neighbour store, model, vectors and ranks into <run_dir>.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from llmrec.grasp.settings import GraspArguments

CONFIG = Path(__file__).parent / "configs/grasp/ml100k/train.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([GraspArguments], CONFIG, __doc__)
    check()
    files = (arguments.dataset, arguments.items, arguments.item_texts, arguments.user_texts, arguments.profiles)
    with stage_session("train", arguments, content=content_hash(*files)) as session:
        if session.skip:
            return
        from genrec.run.rankers.judge import RankerJudge
        from genrec.run.rankers.train import estimate_ranker, load_data, train_ranker
        from llmrec.backbones import make_backbone
        from llmrec.card import write_card
        from llmrec.grasp.build import load_features, make_arm
        from llmrec.grasp.figures import grasp_figures

        dataset, split = load_data(arguments)
        if arguments.estimate:
            shape = arguments.backbone_shape()
            print(estimate_ranker(make_backbone(arguments.backbone, dataset.num_items, shape, 0), split, arguments))
            return
        features = load_features(dataset, split, arguments, session.is_main)
        model = make_arm(arguments, dataset.num_items, features, split)
        session.facts.update(train_ranker(model, split, arguments, session))
        if session.is_main:
            judge = RankerJudge(session, dataset, split, arguments, grasp_figures(dataset, split))
            report = judge.run(arguments.title(), model, session.facts, arguments.protocol())
            write_card(session.folder, "llmrec.grasp.build.load_grasp(folder)")
            print(f"open {report}")


if __name__ == "__main__":
    main()
