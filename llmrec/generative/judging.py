"""How good are reasons, and does answering back help? The work of recipes/llmrec_eval.py.

Each writer is asked the same questions: held-out reasons for BLEU-4 and ROUGE-L, test users' lists for reason accuracy
before and after the checker. Then simulated users talk for a few turns.
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
from llmrec.generative.alignment.train import nearest_items
from llmrec.generative.folder import open_recommender
from llmrec.generative.metrics.sheet import write_sheet
from llmrec.generative.metrics.simulator import gain_table, simulate
from llmrec.generative.metrics.text import text_table
from llmrec.generative.reasons import SPLIT_SEED
from llmrec.generative.recommender import GenerativeRecommender
from llmrec.generative.settings import EvalArguments
from llmrec.generative.stages import report
from llmrec.generative.writing.answer import Reasoned
from llmrec.generative.writing.examples import ReasonExample, candidates_of, held_out, read_reasons
from llmrec.generative.writing.grounding import accuracy
from llmrec.generative.writing.tuned import MANIFEST, load_head
from llmrec.generative.writing.writers import AttentionWriter, ChatWriter, Question, RuleWriter, Writer

Row = dict[str, Any]


def judge(session: Session, arguments: EvalArguments) -> Path:
    """All writers and the simulator; returns report.html."""
    a, root = arguments, session.folder.parent
    dataset, made = Dataset.load(root / "align" / "data"), open_recommender(root / "align")
    references = _references(root, dataset, a)
    test = dataset.split().test
    asked = [_question(made, history) for history in test.sample(a.list_users, a.seed).histories]
    rows, examples = [], []
    for writer in writers(root, made, a):
        lists = [writer.write(question) for question in asked]
        row = {"system": writer.name, "stage": "eval", "mode": "reasons", "seed": a.seed, "n_users": len(asked)}
        rows.append(row | accuracy_table(made, asked, lists) | _text_figures(writer, references, made, a.seed))
        rows[-1]["writer_failures"] = int(getattr(writer, "failures", 0))
        examples += _rated(writer.name, made, asked, lists, a.rated)
    rows += feedback_rows(made, test.sample(a.simulated_users, a.seed), a)
    write_sheet(session.folder, examples, a.seed)
    write_json(session.folder / "rows.json", json_values(rows))
    ranking = read_json(root / "align" / "rows.json")
    protocol = {
        "max_history": read_json(root / "align" / "stage.json")["settings"]["max_history"],
        "reasons": f"{len(references)} held-out reasons; lists of {len(asked)} test users",
        "feedback": f"{a.simulated_users} simulated users who know their target and never name it, {a.turns} turns",
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


def accuracy_table(made: GenerativeRecommender, asked: Sequence[Question], lists: Sequence[Sequence[Reasoned]]) -> Row:
    """Reason accuracy before and after the checker, and what the checker had to do."""
    before, after, kept, rewritten, dropped = [], [], 0, 0, 0
    for question, rows in zip(asked, lists, strict=True):
        found = made.checker.check(rows, question.retrieved, question.history)
        before += [row.claims for row in found.kept] + [[] for _ in found.dropped]
        after += [made.checker.claims(row.item, row.reason, question.history) for row in found.kept]
        kept, dropped = kept + len(found.kept), dropped + len(found.dropped)
        rewritten += sum(row.rewritten for row in found.kept)
    total = max(kept + dropped, 1)
    return {
        "reason_accuracy": accuracy(before),
        "reason_accuracy_own": accuracy(before, own=True),
        "reason_accuracy_checked": accuracy(after),
        "reason_accuracy_own_checked": accuracy(after, own=True),
        "item_accuracy": kept / total,
        "rewritten_share": rewritten / total,
        "dropped_share": dropped / total,
    }


def feedback_rows(made: GenerativeRecommender, users: Targets, a: EvalArguments) -> list[Row]:
    """HR@10 before and after 1 ... turns messages; without constraints as an ablation."""
    rows = []
    for name, vector_only in (("feedback: constraints and vector", False), ("feedback: vector only", True)):
        table = gain_table(simulate(made, users, a.turns, 10, vector_only).ranks)
        head = {"system": name, "stage": "eval", "mode": "feedback", "seed": a.seed, "n_users": len(users)}
        rows.append(head | table)
    return rows


def _question(made: GenerativeRecommender, history: Any) -> Question:
    """What a test user's list is chosen from."""
    from llmrec.generative.feedback.wishes import Wishes

    items, _, _ = made.retrieve(history.tolist(), Wishes())
    return Question(history[-10:].tolist(), items[:20], (), 5)


def _references(root: Path, dataset: Dataset, a: EvalArguments) -> list[ReasonExample]:
    """Held-out reasons of the reasons stage; [] where it did not run."""
    path, manifest = root / "reasons" / "stage.json", root / "reasons" / MANIFEST
    if not manifest.is_file():
        return []
    given = read_json(path)["settings"].get("reasons")
    examples = read_reasons(given or root / "reasons" / "reasons.jsonl", dataset, dataset.split())
    out = held_out(examples, float(read_json(manifest)["held_out"]), SPLIT_SEED)
    kept = [example for example, is_out in zip(examples, out, strict=True) if is_out]
    order = np.random.default_rng(a.seed).permutation(len(kept))[: a.text_users]
    return [kept[i] for i in order]


def _text_figures(writer: Writer, references: list[ReasonExample], made: GenerativeRecommender, seed: int) -> Row:
    """BLEU-4 and ROUGE-L of the first reason written where the truth is among the candidates."""
    if not references:
        return {}
    near = nearest_items(made.heads.texts.numpy(), 10)
    texts = []
    for example in references:
        candidates = candidates_of(example, near, 5, seed)
        if isinstance(writer, (RuleWriter, AttentionWriter)):  # they explain the first, whatever it is
            candidates = [example.target, *(i for i in candidates if i != example.target)]
        rows = writer.write(Question(example.history, candidates, (), 1))
        texts.append(rows[0].reason if rows else "")
    return text_table(texts, [example.reason for example in references])


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
