"""LLMRec, stage 1: users and items meet in one vector space, learnt by InfoNCE over text vectors.

accelerate launch recipes/llmrec_align.py
accelerate launch recipes/llmrec_align.py --config recipes/configs/llmrec/beauty/align.yaml --features text

Encodes the catalogue, trains two small heads, ranks all test users beside Popularity, CE-SASRec and LightGCN. Then
talk to it: python -m llmrec.generative --model <run_dir>/align --history "Toy Story (1995)". Ablations: --features id
(no text encoding), --align false, --num_hard 0. Writes <run_dir>/align.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from llmrec.generative.settings import AlignArguments

CONFIG = Path(__file__).parent / "configs/llmrec/ml100k/align.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([AlignArguments], CONFIG, __doc__)
    check()
    with stage_session("align", arguments, content=content_hash(arguments.dataset)) as session:
        if session.skip:
            return
        from llmrec.generative.stages import align, estimate_align

        if arguments.estimate:
            print(estimate_align(arguments))
            return
        page = align(session, arguments)
        if session.is_main:
            print(f"open {page}")


if __name__ == "__main__":
    main()
