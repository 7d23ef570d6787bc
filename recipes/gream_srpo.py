"""Stage 5: SRPO: reinforcement learning with prefix rewards and the bonus-calibrated advantage.

accelerate launch recipes/gream_srpo.py
accelerate launch recipes/gream_srpo.py --bonus false --dynamic_sampling false --run_dir runs/tiny_ml100k

Rolls out chains for (history, next item) pairs of the training split, rewards the agreeing SID prefix, validates Pass@1
and keeps the best weights. Writes the recommender folder <run_dir>/srpo.
"""

from pathlib import Path

from genrec.run import parse_stage, stage_session
from genrec.versions import check
from gream.settings import SrpoArguments
from gream.srpo.config import SRPOConfig

CONFIG = Path(__file__).parent / "configs/gream/tiny_ml100k/srpo.yaml"


def main() -> None:
    """Run the stage."""
    arguments, config = parse_stage([SrpoArguments, SRPOConfig], CONFIG, __doc__)
    check()
    with stage_session("srpo", arguments, config, after=("index", arguments.start_from)) as session:
        if session.skip:
            return
        from gream.rollout_rows import anchor_rows, rollout_rows
        from gream.srpo.trainer import SRPOTrainer
        from gream.stage_cost import estimate_rollouts
        from gream.training import StageModel
        from gream.validation import REASONING, both_validations

        stage = StageModel.load(session, arguments, config, start_from=arguments.start_from)
        rows = rollout_rows(stage)
        if arguments.estimate:
            print(estimate_rollouts(stage, rows))
            return
        trainer = SRPOTrainer(
            stage.parts.model,
            config,
            rows,
            processing_class=stage.parts.tokenizer,
            parse=stage.formatter.parse,
            trie=stage.workspace.token_trie(stage.parts.tokenizer),
            vocabulary=stage.workspace.vocabulary,
            nominal_levels=stage.workspace.codes.nominal_levels,
            anchor_rows=anchor_rows(stage),
            peft_config=stage.peft_config,
            callbacks=stage.callbacks(both_validations(stage), REASONING),
        )
        trainer.train(resume_from_checkpoint=session.resume_from)
        stage.finish(trainer, REASONING)


if __name__ == "__main__":
    main()
