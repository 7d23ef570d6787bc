"""What does `--help` say about each command? Summary, description, and examples with the files they make."""

PROGRAM = "Writes and checks text that recommenders are trained on."
EXIT_CODES = (
    "exit codes: 0 done, 2 wrong input, 3 a cap was reached, 4 the engine or the disk failed (3 and 4: type the same "
    "command again and it continues), 5 nothing was accepted, 130 interrupted"
)
_FILES = """\
files:
  OUT                    accepted rows, written whole at the end
  OUT.stats.json         counts by reject reason, tokens, money, settings, provenance
  OUT.rejects.jsonl      rejected answers with their reasons
  OUT.partial            answers of an unfinished run: type the same command again and it continues
"""
_COT = """\
Writes five-stage reasoning chains: behaviour evidence, preferences, intent, recommendation with its reason,
and the denoised history. The default teacher is a set of rules over titles, categories, brands, genres and years:
no model, no network, the same file for the same settings. With --engine a language model writes them. Either knows
the next training item and must not name it before stage 4: every chain is checked for that, for a reason anchored in
the history, and for a wording that is not a copy of another chain's with the names exchanged.
Validation and test items are never read.
"""
_COT_EXAMPLES = f"""\
examples:
  python -m data_synthesis cot --data toy --out chains.jsonl --max_chains 200
  python -m data_synthesis cot --data movielens_100k --out runs/demo/chains/train.jsonl --per_user 4
  python -m data_synthesis cot --data runs/demo/data --out chains.jsonl --style full --seed 7
  python -m data_synthesis cot --data toy --out c.jsonl --engine openai --model Qwen3-4B --base_url http://localhost:8000/v1

{_FILES}"""


def _writer(command: str, summary: str, description: str) -> tuple[str, str, str]:
    example = (
        f"examples:\n  python -m data_synthesis {command} --data toy --out {command}.jsonl --engine openai "
        "--model Qwen3-4B --base_url http://localhost:8000/v1\n"
        f"  python -m data_synthesis {command} --config {command}.yaml max_rows=20\n\n{_FILES}"
    )
    return summary, description, example


HELP: dict[str, tuple[str, str, str]] = {
    "cot": ("five-stage reasoning chains over training interactions", _COT, _COT_EXAMPLES),
    "items": _writer(
        "items",
        "one description per item",
        "Rewrites title, attributes, description and high-rated training reviews into one description per item.",
    ),
    "users": _writer(
        "users",
        "one preference description per user",
        "Describes what each user likes, from the profile (where there is one) and the training history.",
    ),
    "preferences": _writer(
        "preferences",
        "long-term, short-term and general preferences per user",
        "Summarises each user's training history three times: what lasts, what is new, and both.",
    ),
    "rewrite": _writer(
        "rewrite",
        "one denoised history per user",
        "Leaves accidental items out of each user's training history; nothing is added or reordered.",
    ),
    "reasons": _writer(
        "reasons",
        "reference reasons for one training event per user",
        "Writes the reason for recommending the next training item, citing the history.",
    ),
    "estimate": (
        "requests, tokens, time and money of a command, before anything is spent",
        "Builds all prompts of a command and adds them up; asks nothing.",
        "example:\n  python -m data_synthesis estimate items --data toy --engine openai --model gpt-4.1-mini "
        "--base_url http://x/v1 --price_in 0.4 --price_out 1.6",
    ),
    "check": (
        "every filter over a finished file",
        "Counts the rows that each filter rejects; exit code 5 when a row is rejected.",
        "example:\n  python -m data_synthesis check chains.jsonl --data toy",
    ),
    "show": ("a few rows, readable", "Prints the first rows of a file.", "example:\n  ... show 3 chains.jsonl"),
    "push": (
        "a `datasets` dataset with a data card, in a folder or on the hub",
        "Writes the rows as a dataset with a card: prompt hash, model, settings, reject counts.",
        "examples:\n  ... push chains.jsonl --to ./dataset\n  ... push chains.jsonl --to hub:me/chains",
    ),
}
