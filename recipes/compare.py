"""Which model is better? Trains a list of configs over seeds and writes one table with spread and paired tests.

python recipes/compare.py
python recipes/compare.py --configs recipes/configs/{sasrec,gru4rec}/beauty/train.yaml --seeds 0 1 2 --sampled

The first config is the reference of the paired tests. What follows `--` goes to every recipe: `-- --epochs 5` gives all
the same budget. Variants that are done are not run again, so a killed comparison goes on when the same command is
typed. Writes compare.md, metrics.json, report.md and report.html into the folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from genrec.run.rankers.compare import Comparison

RECIPES = Path(__file__).parent
DEFAULT = [RECIPES / f"configs/{system}/ml100k/train.yaml" for system in ("sasrec", "gru4rec", "bert4rec")]


def parse(words: list[str] | None = None) -> tuple[Comparison, str]:
    """The comparison and the launch configuration."""
    given = sys.argv[1:] if words is None else words
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--configs", nargs="+", type=Path, default=DEFAULT, help="configs/<system>/<setting>/train.yaml"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="seeds; a claim needs three")
    parser.add_argument("--folder", type=Path, default=Path("runs/compare"), help="run folders and report")
    parser.add_argument("--sampled", action="store_true", help="also rank against 100 negatives, labelled so")
    parser.add_argument("--launch", default="accelerate_configs/cpu.yaml", help="accelerate configuration")
    options = parser.parse_args(given[:cut])
    shared = [*given[cut + 1 :], *(["--sampled", "true"] if options.sampled else [])]
    try:
        return Comparison(options.configs, options.seeds, options.folder, shared), options.launch
    except ValueError as error:
        parser.error(str(error))


def main() -> None:
    """Run every variant, then write the table."""
    comparison, launch = parse()
    for config, seed in comparison.variants():
        print(f"[compare] {comparison.name(config)}, seed {seed}", flush=True)
        recipe = [str(RECIPES / f"{comparison.system(config)}_train.py"), *comparison.arguments(config, seed)]
        command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", launch, *recipe]
        subprocess.run(command, check=True)
    print(comparison.report().read_text())


if __name__ == "__main__":
    main()
