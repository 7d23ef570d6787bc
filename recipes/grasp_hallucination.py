"""Who is misled by wrong descriptions? Trains GRASP and LLM-ESR on corrupted ones and tables the drop of NDCG@10.

python recipes/grasp_hallucination.py
python recipes/grasp_hallucination.py --config recipes/configs/grasp/beauty/train.yaml --seeds 0 1 2 -- --epochs 6

What follows `--` goes to every training run. Runs that are done are not repeated, so a killed experiment goes on when
the same command is typed. Writes hallucination.md and hallucination.json into the folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from genrec.data.files import read_json, write_json, write_whole
from llmrec.grasp.hallucination import drop_table, markdown

RECIPE = Path(__file__).parent / "grasp_train.py"
CONFIG = RECIPE.parent / "configs/grasp/ml100k/train.yaml"


def parse() -> tuple[argparse.Namespace, list[str]]:
    """Options, and words for the training runs."""
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIG, help="configs/grasp/<setting>/train.yaml")
    parser.add_argument("--arms", nargs="+", default=["grasp", "llm_esr"], help="models that read descriptions")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.05, 0.2, 0.5], help="wrong descriptions")
    parser.add_argument("--kind", default="swapped", choices=["swapped", "invented"], help="how they are wrong")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds; a claim needs three")
    parser.add_argument("--folder", type=Path, default=Path("runs/grasp_hallucination"), help="run folders and table")
    parser.add_argument("--launch", default="accelerate_configs/cpu.yaml", help="accelerate configuration")
    return parser.parse_args(given[:cut]), given[cut + 1 :]


def main() -> None:
    """Run all, then write the table."""
    options, shared = parse()
    scores: dict[str, dict[float, list[float]]] = {arm: {share: [] for share in options.shares} for arm in options.arms}
    variants = [(arm, share, seed) for seed in options.seeds for arm in options.arms for share in options.shares]
    for arm, share, seed in variants:
        run_dir = options.folder / f"{arm}_{options.kind}_{share:g}_seed{seed}"
        words = ["--config", options.config, "--run_dir", run_dir, "--if_done", "skip", *shared]
        words += ["--arm", arm, "--corrupt_share", share, "--corrupt_kind", options.kind, "--seed", seed]
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", options.launch, RECIPE, *words]
        subprocess.run([str(word) for word in launch], check=True)
        scores[arm][share].append(read_json(run_dir / "metrics.json")["rows"][-1]["NDCG@10"])
    rows = drop_table(scores)
    write_json(options.folder / "hallucination.json", {"kind": options.kind, "seeds": options.seeds, "rows": rows})
    write_whole(options.folder / "hallucination.md", markdown(rows))
    print(markdown(rows))


if __name__ == "__main__":
    main()
