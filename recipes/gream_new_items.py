"""Can GREAM recommend items that training never saw? Withholds a share of them, trains, adds them, asks for them.

python recipes/gream_new_items.py
python recipes/gream_new_items.py --configs recipes/configs/gream/tiny_beauty --share 0.05 --seed 0

Runs index, chains and alignment of a setting on the data without the withheld items, gives these codes in the frozen
codebooks, and ranks the whole catalogue for the test users whose next item is new, and for the others before and after.
Stages that are done are not run again. Writes report.md, report.html and metrics.json into the folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import yaml

from genrec.data.dataset import Dataset
from genrec.data.load import load_dataset
from genrec.metrics.report.write import write_report
from genrec.run.provenance import provenance
from gream.ablation import fixed_settings
from gream.indexing import NO_QUANTISER, ItemIndex
from gream.new_items import Withheld, judge_new_items, withhold

RECIPES = Path(__file__).parent
STAGES = ("index", "cot", "align")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--configs", type=Path, default=RECIPES / "configs/gream/tiny_ml100k", help="folder of YAML files"
    )
    parser.add_argument("--share", type=float, default=0.05, help="share of the items that is withheld")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw and of the training")
    parser.add_argument("--folder", type=Path, default=None, help="run folder (default: runs/new_items/<setting>)")
    parser.add_argument("--dataset", default=None, help="instead of the one in index.yaml")
    parser.add_argument("--set", nargs="*", default=[], metavar="STAGE.KEY=VALUE", help="further settings of a stage")
    parser.add_argument("--launch", default="accelerate_configs/cpu.yaml", help="accelerate configuration")
    options = parser.parse_args()
    missing = [stage for stage in STAGES if not (options.configs / f"{stage}.yaml").is_file()]
    if missing:
        parser.error(
            f"'{options.configs}' lacks {', '.join(f'{stage}.yaml' for stage in missing)}; name a folder of settings"
        )
    if not 0.0 < options.share < 1.0:
        parser.error(f"--share must lie in (0, 1), got {options.share}")
    try:
        options.set = fixed_settings(options.set)
    except ValueError as error:
        parser.error(str(error))
    options.folder = options.folder or Path("runs/new_items") / options.configs.name
    return options


def train(options: argparse.Namespace, data: Path) -> None:
    """Index, chains and alignment on the reduced data."""
    for stage in STAGES:
        words = ["--config", str(options.configs / f"{stage}.yaml"), "--run_dir", str(options.folder)]
        words += ["--if_done", "skip", "--seed", str(options.seed)]
        words += ["--dataset", str(data)] if stage == "index" else []
        words += [word for name, value in options.set.get(stage, {}).items() for word in (f"--{name}", value)]
        command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", options.launch]
        subprocess.run([*command, str(RECIPES / f"gream_{stage}.py"), *words], check=True)
        if stage == "index" and ItemIndex.load(options.folder / "index").quantiser is None:
            raise SystemExit(f"{NO_QUANTISER}; set index.method=rq_kmeans")


def prepare(options: argparse.Namespace, settings: dict[str, str]) -> tuple[Withheld, Path]:
    """The reduced data, written once."""
    whole = load_dataset(options.dataset or settings["dataset"])
    withheld, data = withhold(whole, options.share, options.seed), options.folder / "data"
    if not (data / "dataset.json").is_file():
        withheld.known.save(data)
    elif Dataset.load(data).catalogue.item_ids != withheld.known.catalogue.item_ids:
        raise SystemExit(f"'{data}' holds another draw; use another --folder, or remove this one")
    return withheld, data


def main() -> None:
    """Withhold, train, judge, report."""
    options, started = parse(), time.time()
    settings = yaml.safe_load((options.configs / "index.yaml").read_text())
    withheld, data = prepare(options, settings)
    train(options, data)
    rows = judge_new_items(options.folder, withheld, settings["encoder"])
    known, new = withheld.known, len(withheld.new)
    facts = {"users": known.num_users, "items": known.num_items, "interactions": known.num_interactions}
    ranking = f"full catalogue, the {new:,} new items among them"
    metrics = {
        "title": f"New items: {options.configs.name}, {options.share:.0%} of the items withheld",
        "dataset": {"name": known.name, **facts, "new_items": new},
        "protocol": {"split": "leave one out", "ranking": ranking, "num_beams": 50},
        "provenance": provenance(seeds=[options.seed], seconds=round(time.time() - started, 1)),
        "rows": [{**row, "seed": options.seed} for row in rows],
    }
    print(f"open {write_report(options.folder, metrics)['report.html']}")


if __name__ == "__main__":
    main()
