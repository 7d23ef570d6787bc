"""One table out of many runs: arms over seeds at an equal budget, with paired tests against the reference arm.

python recipes/table.py recipes/configs/tables/sage_ml1m.yaml
python recipes/table.py recipes/configs/tables/flexcode_beauty.yaml --seeds 0 --set max_steps=20

Runs every step of every arm (finished ones are skipped, so a killed table goes on), then writes metrics.json, report.md
and report.html into runs/tables/<name>, and the file named under `results`. `--set` overrides settings of every step,
or of one recipe's; `--only` runs some arms and writes no table; `--dry_run` prints the commands.
"""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import replace
from pathlib import Path

from genrec.run.table import TableSpec
from genrec.run.table_sharing import share_step


def parse(words: list[str] | None = None) -> tuple[TableSpec, argparse.Namespace]:
    """The table and the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="recipes/configs/tables/<name>.yaml")
    parser.add_argument("--seeds", nargs="+", type=int, help="instead of the file's")
    parser.add_argument("--only", nargs="+", default=[], help="run these arms only")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="overrides for every step")
    parser.add_argument("--dry_run", action="store_true", help="print the commands and stop")
    parser.add_argument("--launch", default="accelerate_configs/cpu.yaml", help="accelerate configuration")
    options = parser.parse_args(words)
    try:
        spec = TableSpec.load(options.table)
        return replace(spec, seeds=options.seeds or spec.seeds, arms=overridden(spec, options.set)), options
    except (ValueError, OSError) as error:
        parser.error(str(error))


def overridden(spec: TableSpec, words: list[str]) -> dict[str, list]:  # type: ignore[type-arg]
    """The arms with `NAME=VALUE` put into every step; `recipe.NAME=VALUE` into the steps of one recipe."""
    arms = {name: list(steps) for name, steps in spec.arms.items()}
    for word in words:
        name, equals, value = word.partition("=")
        recipe, dot, own = name.rpartition(".")
        if not (equals and own):
            raise ValueError(f"override '{word}' is not of the form NAME=VALUE or recipe.NAME=VALUE")
        for arm, steps in arms.items():
            arms[arm] = [
                replace(step, settings={**step.settings, own: value}) if not dot or step.recipe == recipe else step
                for step in steps
            ]
    return arms


def main() -> None:
    """Run every step, then write the table."""
    spec, options = parse()
    wanted = options.only or list(spec.arms)
    if unknown := [arm for arm in wanted if arm not in spec.arms]:
        raise SystemExit(f"unknown arms {unknown}; the arms are {', '.join(spec.arms)}")
    for seed in spec.seeds:
        for arm in wanted:
            for number, command in enumerate(spec.commands(arm, seed, options.launch)):
                print(f"[table] {arm}, seed {seed}: {' '.join(command[5:])}", flush=True)
                if not options.dry_run:
                    if made := share_step(spec, arm, seed, number):
                        print(f"[table] the same as {made}", flush=True)
                    else:
                        subprocess.run(command, check=True)
    if not options.only and not options.dry_run:
        print(f"open {spec.report()}")


if __name__ == "__main__":
    main()
