"""How good are reasons, and does answering back help? The work of recipes/llmrec_eval.py.

Each writer is asked the same questions: to explain the items of held-out reasons (BLEU-4, ROUGE-L) and to choose them
among others; to list items for test users (HR, NDCG, reason accuracy, before and after the checker). A prompted model
is slow and gets fewer of them. Then simulated users talk for a few turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data import Dataset
from genrec.data.files import read_json, write_json
from genrec.data.split import Targets
from genrec.llm.chat import load_chat
from genrec.metrics.report.schema import json_values
from genrec.run import Session
from genrec.run.arguments import settings_of
from genrec.run.state import read_state
from llmrec.generative.folder import open_recommender
from llmrec.generative.metrics.sheet import write_sheet
from llmrec.generative.metrics.simulator import gain_table, simulate
from llmrec.generative.metrics.text import text_table
from llmrec.generative.metrics.written import accuracy_table, choice_accuracy, ranking_of_lists
from llmrec.generative.reasons import SPLIT_SEED
from llmrec.generative.recommender import GenerativeRecommender
from llmrec.generative.settings import EvalArguments
from llmrec.generative.stages import report
from llmrec.generative.writing.answer import Reasoned
from llmrec.generative.writing.examples import (
    TEST,
    ReasonExample,
    candidates_of,
    read_reasons,
    retrieved_for,
    user_parts,
)
from llmrec.generative.writing.tuned import MANIFEST, load_head
from llmrec.generative.writing.writers import AttentionWriter, ChatWriter, Question, RuleWriter, Writer, written

Row = dict[str, Any]


def judge(session: Session, arguments: EvalArguments) -> Path:
    """All writers and the simulator; returns report.html."""
    a, root = arguments, session.folder.parent
    dataset, made = Dataset.load(root / "align" / "data"), open_recommender(root / "align")
    references = _references(root, dataset, a)
    test, rows, examples = dataset.split().test, list[Row](), list[dict[str, str]]()
    listed = test.sample(a.list_users, a.seed)
    asked = [_question(made, history) for history in listed.histories]
    for writer in writers(root, made, a):
        most = a.chat_users if isinstance(writer, ChatWriter) else None
        some, lists = asked[:most], written(writer, asked[:most])
        row = {"system": writer.name, "stage": "eval", "mode": "reasons", "seed": a.seed, "n_users": len(some)}
        row |= accuracy_table(made.checker, some, lists)
        row |= ranking_of_lists(made.checker, some, lists, listed.targets[:most].tolist())
        rows.append(row | _text_figures(writer, references[:most], made, a.seed))
        rows[-1]["writer_failures"] = int(getattr(writer, "failures", 0))
        examples += _rated(writer.name, made, some, lists, a.rated)
    rows += feedback_rows(made, test.sample(a.simulated_users, a.seed), a)
    write_sheet(session.folder, examples, a.seed)
    write_json(session.folder / "rows.json", json_values(rows))
    ranking = read_json(root / "align" / "rows.json")
    protocol = {
        "reason accuracy": "reason_accuracy_own is the writer's: every claim true, one of the item itself; _checked is "
        "judged by the checker that made the repair, so it says what is shown and not who writes well",
        "max_history": read_json(root / "align" / "stage.json")["settings"]["max_history"],
        "reasons": f"{len(references)} reasons of held-out users, each for a given item; lists of {len(asked)} test "
        "users, 5 of 20 retrieved items; a prompted model sees the first n_users of both",
        "feedback": f"{a.simulated_users} simulated users who know their target and never name it, {a.turns} turns; "
        "HR counts users satisfied so far, so the gain that counts is the one over turning pages",
    }
    return report(session, dataset, [*ranking, *rows], settings_of(a), protocol, a.results)


def writers(root: Path, made: GenerativeRecommender, a: EvalArguments) -> list[Writer]:
    """Rules, the attention baseline, the fine-tuned head and a prompted model, where they are there."""
    found: list[Writer] = [RuleWriter(made.records), AttentionWriter(made.records, made.vectors @ made.vectors.T)]
    if (root / "reasons" / MANIFEST).is_file():
        found.append(load_head(root / "reasons", made.records, made.heads, a.max_new_tokens))
    if model := load_chat(a.chat, a.max_new_tokens):
        found.append(ChatWriter(model, made.records))
    return found


def feedback_rows(made: GenerativeRecommender, users: Targets, a: EvalArguments) -> list[Row]:
    """HR@10 before and after 1 ... turns messages, of the control that turns pages, and without constraints."""
    names = {
        "paging": "feedback: none, the next page",
        "words": "feedback: constraints and vector",
        "vector": "feedback: vector only",
    }
    found = {mode: simulate(made, users, a.turns, 10, mode) for mode in names}
    rows = []
    for mode, name in names.items():
        head = {"system": name, "stage": "eval", "mode": "feedback", "seed": a.seed, "n_users": len(users)}
        table = gain_table(found[mode].ranks, 10, None if mode == "paging" else found["paging"].ranks)
        total = max(sum(found[mode].kinds.values()), 1)
        said = {f"said_{kind.replace(' ', '_')}": n / total for kind, n in sorted(found[mode].kinds.items())}
        rows.append(head | table | said)
    return rows


def _question(made: GenerativeRecommender, history: Any) -> Question:
    """What a test user's list is chosen from."""
    from llmrec.generative.feedback.wishes import Wishes

    items, _, _ = made.retrieve(history.tolist(), Wishes())
    return Question(history[-10:].tolist(), items[:20], (), 5)


def _references(root: Path, dataset: Dataset, a: EvalArguments) -> list[ReasonExample]:
    """Reasons of the test users of stage reasons, whether a head was trained or not; [] where the stage did not run."""
    state = read_state(root / "reasons")
    if not state.get("finished"):
        return []
    settings = state["settings"]
    examples = read_reasons(settings.get("reasons") or root / "reasons" / "reasons.jsonl", dataset, dataset.split())
    parts = user_parts(examples, float(settings["held_out"]), SPLIT_SEED)
    kept = [example for example, part in zip(examples, parts, strict=True) if part == TEST]
    order = np.random.default_rng(a.seed).permutation(len(kept))[: a.text_users]
    return [kept[i] for i in order]


def _text_figures(writer: Writer, references: list[ReasonExample], made: GenerativeRecommender, seed: int) -> Row:
    """BLEU-4 and ROUGE-L of reasons for the very item the reference explains; apart, how often that item is chosen."""
    if not references:
        return {}
    lists = written(writer, [Question(e.history, [e.target], (), 1) for e in references])
    table = text_table([rows[0].reason if rows else "" for rows in lists], [e.reason for e in references])
    retrieved = retrieved_for(made.heads, references, made.pool)
    few = [candidates_of(e, found, 5, seed) for e, found in zip(references, retrieved, strict=True)]
    chosen = written(writer, [Question(e.history, c, (), 1) for e, c in zip(references, few, strict=True)])
    return table | {
        "n_texts": len(references),
        "choice_accuracy": choice_accuracy(made.records, chosen, [e.target for e in references]),
        "choice_chance": float(np.mean([1 / len(c) for c in few])),
    }


def _rated(
    system: str, made: GenerativeRecommender, asked: Sequence[Question], lists: Sequence[Sequence[Reasoned]], most: int
) -> list[dict[str, str]]:
    """Examples for the rating sheet: each user's first item."""
    titles = {record.item_id: record.title for record in made.records.all}
    return [
        {
            "system": system,
            "history": "; ".join(made.records[i].title for i in question.history[-5:]),
            "item": titles.get(rows[0].item_id, rows[0].item_id),
            "reason": rows[0].reason,
        }
        for question, rows in list(zip(asked, lists, strict=True))[:most]
        if rows
    ]
