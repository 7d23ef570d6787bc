"""How many texts of a 135 M model survive the filters? `items` for 200 items of Beauty, `cot` for 100 users.

Run: make synth-server (in another terminal), then
     python tools/synth_beauty.py [--data amazon_beauty_2014] [--url http://127.0.0.1:8000/v1] [--ask_nothing]

Killed, it goes on where it was. Writes runs/synth_beauty/{items,cot}.jsonl with their tables and
results/synth_beauty.json. With --ask_nothing it reports what the folder holds, an unfinished job included.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

from data_synthesis.cli import NOTHING
from data_synthesis.cli import main as synthesize
from data_synthesis.job import partial_path, statistics_path
from genrec.data.files import read_json, write_json
from genrec.data.texts import read_rows
from genrec.run.provenance import provenance

MODEL = "smollm2-135m-instruct"
COT = ["max_chains=100", "per_user=1", "max_output_tokens=300"]
JOBS = {  # name in the table -> command, its file, rows, settings
    "cot": ("cot", "cot.jsonl", 100, COT),
    "cot, one field at a time": (
        "cot",
        "cot_steps.jsonl",
        100,
        ["max_chains=100", "per_user=1", "max_output_tokens=64", "stepwise=true"],
    ),
    "items": ("items", "items.jsonl", 200, ["max_rows=200", "max_output_tokens=200"]),
}


def ask(name: str, out: Path, data: str, url: str) -> None:
    """Runs a job to its end.

    Raises:
        SystemExit: It ended with another exit code than "done" or "nothing was accepted".
    """
    words = ["engine=openai", f"base_url={url}", f"model={MODEL}", "concurrency=16", "timeout=20000", "attempts=1"]
    command, _, _, more = JOBS[name]
    code = synthesize([command, "--data", data, "--out", str(out), *words, *more])
    if code not in (0, NOTHING):
        raise SystemExit(f"{name} ended with exit code {code}; type the same command again")


def job(name: str, out: Path, seconds: float) -> dict[str, Any]:
    """One line of the table: from the statistics of a finished job, else from its journal."""
    wanted = JOBS[name][2]
    about = {"command": name, "model": MODEL, "asked": wanted, "seconds": round(seconds, 1)}
    if statistics_path(out).exists():
        found = read_json(statistics_path(out))
        tokens = found["tokens"]
        counts = {"accepted": found["events"]["accepted"], "rejected": found["rejected_attempts"]}
        return {**about, **counts, "prompt_tokens": tokens["prompt"], "answer_tokens": tokens["completion"]}
    path = partial_path(out)
    rows = [row for _, row in read_rows(path)][1:] if path.exists() else []
    if len(rows) < wanted:
        about |= {"command": f"{name} (unfinished)", "asked": len(rows)}
    return {
        **about,
        "accepted": sum(row["reason"] is None for row in rows),
        "rejected": dict(sorted(Counter(row["reason"] for row in rows if row["reason"]).items())),
        "prompt_tokens": sum(row["usage"][0] for row in rows),
        "answer_tokens": sum(row["usage"][1] for row in rows),
    }


def main() -> None:
    """Ask, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="amazon_beauty_2014", help="Beauty by name or path")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--folder", type=Path, default=Path("runs/synth_beauty"))
    parser.add_argument("--ask_nothing", action="store_true", help="only report what the folder holds")
    parser.add_argument("--out", type=Path, default=Path("results/synth_beauty.json"))
    options = parser.parse_args()
    jobs = []
    known = read_json(options.out) if options.out.exists() else {}
    earlier = {line["command"]: line["seconds"] for line in known.get("jobs", [])}
    for name, (_, file, _, _) in JOBS.items():
        out, began = options.folder / file, time.time()
        if not options.ask_nothing:
            ask(name, out, options.data, options.url)
        seconds = time.time() - began
        jobs.append(job(name, out, earlier.get(name, 0.0) if options.ask_nothing else seconds))
    trained = {"trained": known["trained"]} if "trained" in known else {}
    what = "SmolLM2-135M-Instruct behind vLLM on a CPU writes about Amazon Beauty 2014; one attempt per row, no repair"
    origin = provenance()
    where = {"machine": origin["hardware"], **{name: origin[name] for name in ("command", "versions", "revision")}}
    write_json(options.out, {"what": what, "jobs": jobs, **trained, **where})
    for line in jobs:
        print(line)


if __name__ == "__main__":
    main()
