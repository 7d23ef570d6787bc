"""How does the fine-tuned head write? The folder of recipes/llmrec_reasons.py, opened as a writer.

One item per question, as it was trained: the head chooses among a few candidates and says why, then the chosen one is
taken out and the head is asked again, k times.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save

from genrec.data.files import read_json, write_json, write_whole
from llmrec.generative.alignment.heads import AlignmentHeads
from llmrec.generative.records import Records
from llmrec.generative.writing.answer import Reasoned, parse_answer
from llmrec.generative.writing.rows import RowMaker, vectors_of
from llmrec.generative.writing.vectors import PLACEHOLDER, VectorPrompt
from llmrec.generative.writing.writers import Question, RuleWriter

MANIFEST, PROJECTOR = "head.json", "projector.safetensors"


class TunedWriter:
    """The fine-tuned head.

    Args:
        model: causal language model, with the projector attached where it is conditioned on vectors.
        maker: questions.
        heads: for the vectors.
        shown: candidates per question.
        max_new_tokens: longest answer.
        name: goes into reports.
        batch_size: questions that are answered at a time.
    """

    def __init__(
        self, model: Any, maker: RowMaker, heads: AlignmentHeads, shown: int = 5, max_new_tokens: int = 128,
        name: str = "fine-tuned", batch_size: int = 32,
    ) -> None:  # fmt: skip
        self.model, self.maker, self.heads, self.shown = model, maker, heads, shown
        self.max_new_tokens, self.name, self.batch_size = max_new_tokens, name, batch_size
        self.items, self.rules, self.failures = heads.item_vectors(), RuleWriter(maker.records), 0

    def write(self, question: Question) -> list[Reasoned]:
        """See `Writer`."""
        return self.write_all([question])[0]

    def write_all(self, questions: Sequence[Question]) -> list[list[Reasoned]]:
        """Lists for many questions: the n-th item of all of them in one round, in batches."""
        left = [list(question.retrieved) for question in questions]
        lists: list[list[Reasoned]] = [[] for _ in questions]
        while rows := [n for n, q in enumerate(questions) if left[n] and len(lists[n]) < q.k]:
            for start in range(0, len(rows), self.batch_size):
                chosen = rows[start : start + self.batch_size]
                asked = [(questions[n], left[n][: self.shown]) for n in chosen]
                for n, (question, candidates), text in zip(chosen, asked, self.complete(asked), strict=True):
                    row = self._read(text, question, candidates)
                    lists[n].append(row)
                    named = next((i for i in left[n] if self.maker.records[i].item_id == row.item_id), left[n][0])
                    left[n].remove(named)  # what was not offered costs the first its place
        return lists

    def _read(self, text: str, question: Question, candidates: list[int]) -> Reasoned:
        """An answer's item; the rules' where it is none, which is counted."""
        try:
            return parse_answer(text, 1)[0]
        except (ValueError, IndexError):
            self.failures += 1
            one = Question(question.history, candidates, question.wishes, 1)
            return self.rules.write(one)[0]

    def complete(self, asked: Sequence[tuple[Question, list[int]]]) -> list[str]:
        """What the model writes about a few candidates each; greedy. One candidate is given: its answer is begun."""
        tokenizer = self.maker.tokenizer
        begun = [self.maker.begun(few[0]) if len(few) == 1 else "" for _, few in asked]
        prompts = [
            self.maker.prompt(q.history, few, q.wishes) + start for (q, few), start in zip(asked, begun, strict=True)
        ]
        options = {"return_tensors": "pt", "add_special_tokens": False, "padding": True, "padding_side": "left"}
        batch = tokenizer(prompts, **options).to(self.model.device)
        ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        with torch.inference_mode(), _given(self.model, self._vectors(asked)):
            out = self.model.generate(**batch, max_new_tokens=self.max_new_tokens, do_sample=False, **ends)
        written = tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return [start + text for start, text in zip(begun, written, strict=True)]

    def _vectors(self, asked: Sequence[tuple[Question, list[int]]]) -> torch.Tensor | None:
        """Vectors (B, P, d) of the questions, padded with zeros; None where the head reads texts alone."""
        if self.maker.conditioning == "text":
            return None
        users = self.heads.encode([np.asarray(q.history, dtype=np.int64) for q, _ in asked]).numpy()
        tables = [torch.tensor(vectors_of(u, self.items, few)) for u, (_, few) in zip(users, asked, strict=True)]
        return torch.nn.utils.rnn.pad_sequence(tables, batch_first=True).to(self.model.device)


def add_projector(model: Any, tokenizer: Any, width: int, seed: int = 0) -> VectorPrompt:
    """Give a model the placeholder token and the projector."""
    tokenizer.add_tokens([PLACEHOLDER])
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer))
    token = int(tokenizer.convert_tokens_to_ids(PLACEHOLDER))
    return VectorPrompt(width, model.config.get_text_config().hidden_size, token, seed).attach(model)


def save_head(folder: str | Path, model: Any, tokenizer: Any, manifest: dict[str, Any]) -> None:
    """Write model, tokenizer, projector (where there is one) and, last, head.json."""
    folder = Path(folder)
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith("vector_prompt.")}
    model.save_pretrained(folder, state_dict=weights)
    tokenizer.save_pretrained(folder)
    projector = getattr(model, "vector_prompt", None)
    if projector is not None:
        write_whole(folder / PROJECTOR, save({k: v.contiguous() for k, v in projector.state_dict().items()}))
    write_json(folder / MANIFEST, manifest)


def load_head(folder: str | Path, records: Records, heads: AlignmentHeads, max_new_tokens: int = 128) -> TunedWriter:
    """Open what `save_head` wrote.

    Raises:
        ValueError: the folder holds no head.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise ValueError(f"'{folder}' holds no {MANIFEST}; run recipes/llmrec_reasons.py")
    manifest = read_json(folder / MANIFEST)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if (folder / PROJECTOR).is_file():
        add_projector(model, tokenizer, heads.width).load_state_dict(load_file(folder / PROJECTOR))
    maker = RowMaker(records, tokenizer, manifest["conditioning"], manifest["max_history"])
    name = "list-only generator" if manifest.get("list_only") else f"fine-tuned, {manifest['conditioning']}"
    return TunedWriter(model, maker, heads, manifest["shown"], max_new_tokens, name)


def _given(model: Any, vectors: torch.Tensor | None) -> Any:
    from contextlib import nullcontext

    projector = getattr(model, "vector_prompt", None)
    return nullcontext() if projector is None or vectors is None else projector.given(vectors)
