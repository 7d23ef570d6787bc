"""Does RL pay? SRPO, plain GRPO and their variants from one curriculum checkpoint, at equal rollout tokens.

python recipes/gream_study.py --base runs/tiny_beauty --rollout_tokens 1000000 --seeds 0 1 2
python recipes/gream_study.py --base runs/tiny_ml100k --arms srpo grpo_exact --users 943 --samples 10

Arms: srpo (the setting's srpo.yaml), grpo (no bonus, no dynamic sampling), grpo_exact (and no credit for prefixes),
srpo_exact, srpo_no_bonus, srpo_no_resampling, srpo_free (no trie), srpo_no_anchor, srpo_labels (anchored by labels in
the place of the start). The learning rate is constant, so that arms of different length compare, and the last weights
are judged: a choice on validation could fall back to the start. Each checkpoint draws --samples chains for the same
test users; the figures are compared with those of the curriculum checkpoint by a paired bootstrap over users. What is
done is not done again, so a killed study goes on when the same command is typed. Writes results/study_<base>.json;
`make results` renders it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genrec.data.files import read_json, write_json
from genrec.run.provenance import provenance
from gream.settings import EvalArguments
from gream.study import ARMS, Judged, differences, judge, wanted_metrics
from gream.workspace import Workspace

RECIPES = Path(__file__).parent
SHARED = ("index", "cot", "align", "reason")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="run whose reason stage has finished")
    parser.add_argument("--arms", nargs="+", default=["srpo", "grpo"], choices=sorted(ARMS), help="what is compared")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds of RL; a claim needs three")
    parser.add_argument("--rollout_tokens", type=int, default=500_000, help="generated tokens of each arm and seed")
    parser.add_argument("--users", type=int, default=1000, help="test users of reasoning mode; a claim needs 1,000")
    parser.add_argument("--samples", type=int, default=10, help="chains per user")
    parser.add_argument("--direct_users", type=int, default=-1, help="test users of direct mode; -1 = all")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="further SRPO settings of all arms")
    parser.add_argument("--configs", type=Path, default=None, help="folder of srpo.yaml (default: named like the base)")
    parser.add_argument("--folder", type=Path, default=None, help="run folders (default: runs/studies/<base>)")
    parser.add_argument("--results", type=Path, default=None, help="default: results/study_<base>.json")
    parser.add_argument("--launch", default="accelerate_configs/cpu.yaml", help="accelerate configuration")
    options = parser.parse_args()
    name = options.base.name
    options.configs = options.configs or RECIPES / "configs/gream" / name
    options.folder = options.folder or Path("runs/studies") / name
    options.results = options.results or Path(f"results/study_{name}.json")
    for stage in SHARED:
        if not (options.base / stage / "stage.json").is_file():
            parser.error(f"'{options.base}' has no finished stage '{stage}'; train it there first")
    return options


def train(options: argparse.Namespace, arm: str, seed: int) -> Path:
    """Train one arm with one seed, or find it done; returns its run folder."""
    run = options.folder / f"{arm}_seed{seed}"
    run.mkdir(parents=True, exist_ok=True)
    for stage in SHARED:
        if not (run / stage).exists():
            (run / stage).symlink_to((options.base / stage).resolve(), target_is_directory=True)
    given = dict(word.split("=", 1) for word in options.set)
    fixed = {"max_steps": "100000", "lr_scheduler_type": "constant_with_warmup", "warmup_steps": "5"}
    fixed |= {"validate_every": "0", "choose": "last", "save_steps": "20"}
    settings = {**fixed, **given, **ARMS[arm], "seed": str(seed)}
    settings["max_rollout_tokens"] = str(options.rollout_tokens)
    words = ["--config", str(options.configs / "srpo.yaml"), "--run_dir", str(run), "--if_done", "skip"]
    words += [word for name, value in settings.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", options.launch]
    subprocess.run([*command, str(RECIPES / "gream_srpo.py"), *words], check=True)
    return Path(run)


def judged(options: argparse.Namespace, run: Path, stage: str) -> Judged:
    """Figures of a checkpoint, from an earlier attempt with the same settings or new."""
    stem = options.folder / "judged" / f"{run.name}_{stage}_{options.users}x{options.samples}_{options.direct_users}"
    if (found := Judged.load(stem)) is not None:
        return found
    test = Workspace(options.base).split.test
    everyone = test if options.direct_users < 0 else test.sample(options.direct_users, seed=0)
    arguments = EvalArguments(run_dir=str(run), reasoning_samples=options.samples)
    result = judge(run / stage, test.sample(options.users, seed=0), everyone, stage, arguments)
    stem.parent.mkdir(parents=True, exist_ok=True)
    result.save(stem)
    return result


def content(options: argparse.Namespace, base: Judged, arms: dict[str, dict[int, Judged]]) -> dict[str, Any]:
    """What goes into results/study_*.json."""
    facts = provenance()
    rows = [{"arm": "curriculum", **base.row}]
    for arm, runs in arms.items():
        for seed, run in runs.items():
            state = read_json(options.folder / f"{arm}_seed{seed}" / "srpo" / "stage.json")
            rows.append(
                {
                    "arm": arm,
                    **run.row,
                    "seed": seed,
                    "steps": state["facts"]["steps"],
                    "train_seconds": state["seconds"],
                }
            )
    return {
        "what": f"{options.base.name}: {options.users} test users x {options.samples} chains, direct mode over "
        f"{'all' if options.direct_users < 0 else options.direct_users} test users; {options.rollout_tokens:,} "
        "generated tokens per arm and seed",
        "rows": rows,
        "differences": differences(base, {a: list(r.values()) for a, r in arms.items()}, wanted_metrics(base)),
        **{name: facts[name] for name in ("command", "revision", "hardware", "versions")},
    }


def each(arms: Sequence[str], seeds: Sequence[int], do: Callable[[str, int], None]) -> None:
    """All arms with the first seed come first."""
    for seed in seeds:
        for arm in arms:
            print(f"[study] {arm}, seed {seed}", flush=True)
            do(arm, seed)


def main() -> None:
    """Train and judge every arm; the result is written after each."""
    options = parse()
    base = judged(options, options.base, "reason")
    arms: dict[str, dict[int, Judged]] = {arm: {} for arm in options.arms}

    def one(arm: str, seed: int) -> None:
        run = train(options, arm, seed)
        arms[arm][seed] = judged(options, run, "srpo")
        shutil.rmtree(run / "srpo" / "best", ignore_errors=True)
        done = {name: runs for name, runs in arms.items() if runs}
        write_json(options.results, content(options, base, done))

    each(options.arms, options.seeds, one)


if __name__ == "__main__":
    main()
