"""What is one setting worth at equal budget? Trains a stage once per value and seed and compares validation scores.

python recipes/gream_ablate.py align.dropout --values 0 0.1 0.2 --base runs/tiny_beauty --budget align.max_steps=2000
python recipes/gream_ablate.py index.num_levels --values 3 4 --until align --base runs/tiny_ml100k --seeds 0 1 2

The stages before the varied one are taken from the base run. Variants that are done are not run again, so a killed
ablation goes on when the same command is typed. Writes results/ablation_<stage>_<setting>.json; `make results` renders
it into RESULTS.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from gream.ablation import Ablation, fixed_settings

RECIPES = Path(__file__).parent


def parse(words: list[str] | None = None) -> tuple[Ablation, Path, str]:
    """The ablation, its result file and the launch configuration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="stage.setting to vary, e.g. align.dropout")
    parser.add_argument("--values", nargs="+", required=True, help="values to try")
    parser.add_argument("--base", type=Path, required=True, help="finished run whose earlier stages are shared")
    parser.add_argument("--until", default=None, help="last stage, whose validation judges (default: the varied one)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds; a claim needs three")
    parser.add_argument("--budget", nargs="*", default=[], help="stage.setting=value for all variants")
    parser.add_argument("--configs", type=Path, default=None, help="YAML files (default: those named like the base)")
    parser.add_argument("--folder", type=Path, default=None, help="run folders (default: runs/ablations/<base>)")
    parser.add_argument("--results", type=Path, default=None, help="default: results/ablation_<stage>_<setting>.json")
    parser.add_argument("--launch", default="accelerate_configs/cpu.yaml", help="accelerate configuration")
    options = parser.parse_args(words)
    stage, _, setting = options.what.partition(".")
    try:
        ablation = Ablation(
            stage,
            setting,
            options.values,
            options.until or stage,
            options.base,
            options.folder or Path("runs/ablations") / options.base.name,
            options.configs or RECIPES / "configs/gream" / options.base.name,
            fixed_settings(options.budget),
            options.seeds,
        )
    except ValueError as error:
        parser.error(str(error))
    name = f"results/ablation_{options.base.name}_{stage}_{setting}.json"
    return ablation, options.results or Path(name), options.launch


def main() -> None:
    """Run every variant and write the result after each."""
    ablation, results, launch = parse()
    for value, seed in ablation.variants():
        ablation.link_base(value, seed)
        print(f"[ablate] {ablation.stage}.{ablation.setting} = {value}, seed {seed}", flush=True)
        for stage in ablation.trained:
            recipe = [str(RECIPES / f"gream_{stage}.py"), *ablation.arguments(stage, value, seed)]
            command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", launch, *recipe]
            subprocess.run(command, check=True)
        print(ablation.row(value, seed), flush=True)
        ablation.save(results)


if __name__ == "__main__":
    main()
