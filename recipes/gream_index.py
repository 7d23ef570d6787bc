"""Stage 1: data, item index, tokenizer and the untrained model.

accelerate launch recipes/gream_index.py
accelerate launch recipes/gream_index.py --config recipes/configs/gream/tiny_beauty/index.yaml

Reads a dataset by name or path, trains the CE-SASRec baseline (its item vectors may join the text vectors), learns the
semantic IDs, extends the tokenizer and writes the untrained model. Everything goes to <run_dir>/index.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from gream.settings import IndexArguments

CONFIG = Path(__file__).parent / "configs/gream/tiny_ml100k/index.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([IndexArguments], CONFIG, __doc__)
    check()
    content = content_hash(arguments.dataset, arguments.items, arguments.descriptions)
    with stage_session("index", arguments, content=content) as session:
        if session.skip:
            return
        from data_synthesis.cot import sample_texts
        from gream.building import build, estimate_index, load_data

        dataset = load_data(arguments)
        if arguments.estimate:
            print(estimate_index(dataset, arguments))
            return
        corpus = sample_texts(dataset, arguments.style, arguments.split)
        session.facts.update(build(dataset, arguments, session.folder, corpus, session.is_main))


if __name__ == "__main__":
    main()
