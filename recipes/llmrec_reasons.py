"""LLMRec, stage 2: a language model learns to choose among retrieved items and to say why.

accelerate launch recipes/llmrec_reasons.py
accelerate launch recipes/llmrec_reasons.py --reasons reasons.jsonl --conditioning text --backbone smollm2

Reasons come from a file of data_synthesis, or its offline teacher writes them for training interactions. Two shares of
the users are held out: the state with the best validation loss is kept, the other share is for stage eval.
`--conditioning` text, vector or both: what the head sees; `--list_only true`: the baseline without reasons; `--head
false`: no head, only the reasons that other writers are held against. Needs <run_dir>/align; writes <run_dir>/reasons.
"""

from pathlib import Path

from trl import SFTConfig

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.run.processes import wait_for_everyone
from genrec.versions import check
from llmrec.generative.settings import ReasonsArguments

CONFIG = Path(__file__).parent / "configs/llmrec/ml100k/reasons.yaml"


def main() -> None:
    """Run the stage."""
    arguments, config = parse_stage([ReasonsArguments, SFTConfig], CONFIG, __doc__)
    check()
    content = content_hash(arguments.reasons)
    with stage_session("reasons", arguments, config, after=("align",), content=content) as session:
        if session.skip:
            return
        from data_synthesis.config import CotConfig
        from data_synthesis.cot import synthesize_chains
        from genrec.data import Dataset
        from llmrec.generative.reasons import fine_tune

        dataset = Dataset.load(session.folder.parent / "align" / "data")
        if arguments.estimate:
            print(
                f"{arguments.max_reasons} reasons, {config.max_steps} steps; see log.jsonl of a short run for its speed"
            )
            return
        path = Path(arguments.reasons) if arguments.reasons else session.folder / "reasons.jsonl"
        if arguments.reasons is None and session.is_main:
            wanted = CotConfig(max_chains=arguments.max_reasons, max_history=arguments.max_history, style="full")
            synthesize_chains(dataset, wanted, path)
        wait_for_everyone(config.world_size)
        if arguments.head:
            fine_tune(session, arguments, config, path)


if __name__ == "__main__":
    main()
