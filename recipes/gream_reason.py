"""Stage 4: reasoning curriculum: chains of thought join the alignment tasks, more and more of them.

accelerate launch recipes/gream_reason.py
accelerate launch recipes/gream_reason.py --schedule uniform --run_dir runs/tiny_ml100k

`chains` lists files of chains instead of the run's own: those of the offline teacher and those of a language model.
Starts from the aligned model, follows the insertion schedule of the paper, validates Pass@1 of reasoning mode (and
NDCG@10 of direct mode) and keeps the best weights. Writes the recommender folder <run_dir>/reason.
"""

from pathlib import Path

from trl import SFTConfig

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from gream.settings import ReasonArguments

CONFIG = Path(__file__).parent / "configs/gream/tiny_ml100k/reason.yaml"


def main() -> None:
    """Run the stage."""
    arguments, config = parse_stage([ReasonArguments, SFTConfig], CONFIG, __doc__)
    check()
    content = content_hash(*arguments.chains)
    after = ("index", "cot", arguments.start_from)
    with stage_session("reason", arguments, config, after=after, content=content) as session:
        if session.skip:
            return
        from genrec.data.files import write_json
        from genrec.posttrain.sft import RecSFTTrainer
        from gream.curriculum import mix_over_steps
        from gream.rows import curriculum_rows, soft_labels
        from gream.stage_cost import estimate_rows
        from gream.training import StageModel
        from gream.validation import REASONING, both_validations

        stage = StageModel.load(session, arguments, config, start_from=arguments.start_from)
        rows, sampler = curriculum_rows(stage)
        if arguments.estimate:
            print(estimate_rows(stage, len(sampler), rows))
            return
        write_json(session.folder / "mix.json", mix_over_steps(sampler.schedule))
        config.num_train_epochs = 1  # one pass over the sampler is all epochs of the curriculum
        trainer = RecSFTTrainer(
            stage.parts.model,
            config,
            rows,
            processing_class=stage.parts.tokenizer,
            sampler=sampler,
            dropout=arguments.dropout,
            soft_labels=soft_labels(stage),
            peft_config=stage.peft_config,
            callbacks=stage.callbacks(both_validations(stage), REASONING),
        )
        trainer.train(resume_from_checkpoint=session.resume_from)
        stage.finish(trainer, REASONING)


if __name__ == "__main__":
    main()
