"""FlexCode's item codes alone: data, CE-SASRec, both codebooks, the router; no language model.

accelerate launch recipes/flexcode_codes.py
accelerate launch recipes/flexcode_codes.py --dataset toy --encoder hash --code_options '{"codebooks": "semantic"}'

Writes <run_dir>/flexcode: index.json (any recipe of GREAM reads the like), health.json with alpha against popularity.
Ablations are keys of `code_options`: codebooks (collaborative, semantic), alignment: 0 (no CCA), split: fixed,
variable_budget: false. GREAM itself learns such an index with `gream_index.py --method flexcode`.
"""

from pathlib import Path

from genrec.data.load import content_hash
from genrec.run import parse_stage, stage_session
from genrec.versions import check
from gream.settings import IndexArguments

CONFIG = Path(__file__).parent / "configs/flexcode/ml100k/codes.yaml"


def main() -> None:
    """Run the stage."""
    (arguments,) = parse_stage([IndexArguments], CONFIG, __doc__)
    check()
    content = content_hash(arguments.dataset, arguments.items)
    with stage_session("flexcode", arguments, content=content) as session:
        if session.skip:
            return
        from gream.building import estimate_index, learn_index, load_data

        dataset = load_data(arguments)
        if arguments.estimate:
            print(estimate_index(dataset, arguments))
            return
        index = learn_index(dataset, arguments, session.folder, session.is_main)
        if index is not None:
            session.facts.update({"counts": dataset.counts, "health": index.health})


if __name__ == "__main__":
    main()
