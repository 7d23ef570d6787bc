"""Stage 3: alignment SFT: the model learns what semantic IDs mean and how histories go on.

accelerate launch recipes/gream_align.py
accelerate launch recipes/gream_align.py --config recipes/configs/gream/tiny_beauty/align.yaml --learning_rate 1e-3

Builds the alignment tasks from the training split, trains on completions only, validates NDCG@10 of direct mode and
keeps the best weights. Writes the recommender folder <run_dir>/align.
"""

from pathlib import Path

from trl import SFTConfig

from genrec.run import parse_stage, stage_session
from genrec.versions import check
from gream.settings import AlignArguments

CONFIG = Path(__file__).parent / "configs/gream/tiny_ml100k/align.yaml"


def main() -> None:
    """Run the stage."""
    arguments, config = parse_stage([AlignArguments, SFTConfig], CONFIG, __doc__)
    check()
    with stage_session("align", arguments, config, after=("index", "cot")) as session:
        if session.skip:
            return
        from genrec.posttrain.sft import RecSFTTrainer
        from gream.rows import alignment_rows, soft_labels
        from gream.stage_cost import estimate_rows
        from gream.training import StageModel
        from gream.validation import DIRECT, direct_validation

        stage = StageModel.load(session, arguments, config, start_from="index")
        rows = alignment_rows(stage)
        if arguments.estimate:
            print(estimate_rows(stage, len(rows) * config.num_train_epochs, rows))
            return
        trainer = RecSFTTrainer(
            stage.parts.model,
            config,
            rows,
            processing_class=stage.parts.tokenizer,
            dropout=arguments.dropout,
            soft_labels=soft_labels(stage),
            peft_config=stage.peft_config,
            callbacks=stage.callbacks(direct_validation(stage), DIRECT),
        )
        trainer.train(resume_from_checkpoint=session.resume_from)
        stage.finish(trainer, DIRECT)


if __name__ == "__main__":
    main()
