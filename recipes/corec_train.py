"""Train and judge CoRec, an ablation or a baseline: clusters, training, full ranking, three scenes, report.

accelerate launch recipes/corec_train.py
accelerate launch recipes/corec_train.py --config recipes/configs/corec/beauty/train.yaml --backbone bert4rec

`--arm` chooses corec, plain, cl4srec, recvae or apart; `--contrast false`, `--reconstruction false` and
`--fixed_weights true` are the ablations. Besides the usual columns each row holds the scenes short, dense and drift,
completion, new behaviour, what is kept under noise, and separation. Writes model, vectors and ranks into <run_dir>.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from llmrec.corec.settings import CorecArguments

CONFIG = Path(__file__).parent / "configs/corec/ml100k/train.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([CorecArguments], CONFIG, __doc__)
    check()
    content = content_hash(arguments.dataset, arguments.items)
    with stage_session("train", arguments, content=content) as session:
        if session.skip:
            return
        from genrec.run.rankers.judge import RankerJudge
        from genrec.run.rankers.train import estimate_ranker, load_data
        from llmrec.backbones import make_backbone
        from llmrec.card import write_card
        from llmrec.corec.build import train_arm
        from llmrec.corec.figures import corec_figures
        from llmrec.corec.interests import learn_interests

        dataset, split = load_data(arguments)
        if arguments.estimate:
            shape = arguments.backbone_shape()
            print(estimate_ranker(make_backbone(arguments.backbone, dataset.num_items, shape, 0), split, arguments))
            return
        interests = learn_interests(split.train, dataset.num_items, arguments.clusters)
        model, facts = train_arm(arguments, dataset.num_items, interests, split, session)
        session.facts.update(facts)
        if session.is_main:
            figures = corec_figures(dataset, split, interests, arguments.scene_users, arguments.core_share)
            judge = RankerJudge(session, dataset, split, arguments, figures)
            report = judge.run(arguments.title(), model, session.facts)
            write_card(session.folder, "llmrec.corec.build.load_corec(folder, interests)")
            print(f"open {report}")


if __name__ == "__main__":
    main()
