"""How does the fine-tuned head write? The folder of recipes/llmrec_reasons.py, opened as a writer.

One item per question, as it was trained: the head chooses among a few candidates and says why, then the chosen one is
taken out and the head is asked again, k times.
"""

from __future__ import annotations

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
    """

    def __init__(
        self, model: Any, maker: RowMaker, heads: AlignmentHeads, shown: int = 5, max_new_tokens: int = 128,
        name: str = "fine-tuned",
    ) -> None:  # fmt: skip
        self.model, self.maker, self.heads, self.shown = model, maker, heads, shown
        self.max_new_tokens, self.name = max_new_tokens, name
        self.items, self.rules, self.failures = heads.item_vectors(), RuleWriter(maker.records), 0

    def write(self, question: Question) -> list[Reasoned]:
        """See `Writer`."""
        left = list(question.retrieved)
        written: list[Reasoned] = []
        while left and len(written) < question.k:
            row = self._one(question, left[: self.shown])
            written.append(row)
            left = [i for i in left if self.maker.records[i].item_id != row.item_id]
            if len(left) == len(question.retrieved) - len(written) + 1:  # named what was not offered: the first leaves
                left = left[1:]
        return written

    def _one(self, question: Question, candidates: list[int]) -> Reasoned:
        text = self.complete(question, candidates)
        try:
            return parse_answer(text, 1)[0]
        except (ValueError, IndexError):
            self.failures += 1
            one = Question(question.history, candidates, question.wishes, 1)
            return self.rules.write(one)[0]

    def complete(self, question: Question, candidates: list[int]) -> str:
        """What the model writes about a few candidates; greedy."""
        tokenizer, prompt = self.maker.tokenizer, self.maker.prompt(question.history, candidates, question.wishes)
        batch = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(self.model.device)
        vectors = None
        if self.maker.conditioning != "text":
            user = self.heads.encode([np.asarray(question.history, dtype=np.int64)])[0].numpy()
            vectors = torch.tensor([vectors_of(user, self.items, candidates)], device=self.model.device)
        options = {"do_sample": False, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        with torch.inference_mode(), _given(self.model, vectors):
            out = self.model.generate(**batch, max_new_tokens=self.max_new_tokens, **options)
        return str(tokenizer.decode(out[0, batch["input_ids"].shape[1] :], skip_special_tokens=True))


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
