"""How does a history, an item or a chain become what a model reads? One formatter for training and inference.

Layout of a sequential prompt: the user turn holds a wording only; the history's SIDs open the assistant turn
and the next SID follows directly. So every prefix of a packed row is, token for token, the prompt of that
prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.data.chains import Chain
from genrec.llm.template import render_user_turn
from gream.prompts import wordings
from gream.prompts.chain_text import chain_text
from gream.prompts.config import PromptConfig
from gream.prompts.output import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN, Parsed, parse_output
from gream.prompts.pieces import ItemPieces
from gream.prompts.tokens import Encoded, Pair, encode_pairs, token_ids


class Formatter(ItemPieces):
    """Strings, token ids and back, for one tokenizer and one item index.

    Args:
        tokenizer: Hugging Face tokenizer that already holds the SID tokens and the four tags.
        item_codes: `ItemCodes`, SIDs of all items.
        vocabulary: `SidVocabulary`, SID codes <-> token text.
        catalogue: `Catalogue`, item texts; all of them pass through `escape_text`.
        config: prompt choices.

    Raises:
        ValueError: when the tokenizer lacks an end token or a SID token.
    """

    def __init__(
        self,
        tokenizer: Any,
        item_codes: Any,
        vocabulary: Any,
        catalogue: Any,
        config: PromptConfig | None = None,
    ) -> None:
        if tokenizer.eos_token is None:
            raise ValueError("the tokenizer has no eos_token, so no answer could end; set tokenizer.eos_token")
        super().__init__(tokenizer, item_codes, vocabulary, catalogue)
        self.tokenizer = tokenizer
        self.config = config or PromptConfig()
        self.eos: str = tokenizer.eos_token
        compact = self.config.style == "compact"
        self.labels = wordings.COMPACT_LABELS if compact else wordings.FULL_LABELS
        self._lengths = frozenset(int(n) for n in item_codes.lengths)
        self._turns: dict[tuple[str, int], str] = {}

    def latest(self, history: Sequence[int]) -> list[int]:
        """Return the latest `max_history` items of a history, oldest first."""
        return [int(item) for item in history[-self.config.max_history :]]

    def sids(self, history: Sequence[int]) -> str:
        """Return the SIDs of the latest `max_history` items, oldest first, without separators."""
        return "".join(self.sid(item) for item in self.latest(history))

    def turn(self, task: str, wording: int, text: str = "") -> str:
        """Render a user turn and open the assistant's.

        Args:
            task: task name.
            wording: number of the wording.
            text: what stands in the wording's place for text; must be escaped already.
        """
        key = (task, wording)
        if key not in self._turns:  # templates cost a millisecond, so each wording is rendered once
            words, thinking = wordings.wording(task, wording), task == wordings.REASONING
            system = self.config.system
            rendered = render_user_turn(self.tokenizer, words, system=system, thinking=thinking)
            if rendered.count(words) != 1:
                raise ValueError(f"the chat template does not repeat the user's words {words!r} once and unchanged")
            self._turns[key] = rendered
        return self._turns[key].replace(wordings.PLACE, text)

    def direct_prompt(self, history: Sequence[int], wording: int = 0) -> str:
        """Return the prompt after which the next item's SID follows directly.

        Args:
            history: dense items, oldest first; only the latest `max_history` are shown.
            wording: 0 is the fixed one of evaluation.
        """
        return self.history_prompt(wordings.SEQUENTIAL, history, wording)

    def reasoning_prompt(self, history: Sequence[int], wording: int = 0) -> str:
        """Return the prompt after which a chain follows; the completion starts with `<think>`."""
        return self.history_prompt(wordings.REASONING, history, wording)

    def history_prompt(self, task: str, history: Sequence[int], wording: int = 0) -> str:
        """Return the prompt of a task whose assistant turn opens with the history's SIDs."""
        return self.turn(task, wording) + self.sids(history)

    def text_prompt(self, task: str, text: str, wording: int = 0, max_words: int | None = None) -> str:
        """Return the prompt of a task about untrusted text, which is escaped here."""
        return self.turn(task, wording, self.escape(text, max_words))

    def item_prompt(self, task: str, item: int, wording: int = 0) -> str:
        """Return the prompt of a task about one item, named by its SID in the user turn."""
        return self.turn(task, wording, self.sid(item))

    def item_completion(self, item: int) -> str:
        """Return a SID and the end of the turn (search: text -> SID)."""
        return self.sid(item) + self.eos

    def text_completion(self, text: str, max_words: int | None = None) -> str:
        """Return escaped text and the end of the turn."""
        return self.escape(text, max_words) + self.eos

    def answer_completion(self, item: int) -> str:
        """Return the tagged answer and the end of the turn: what follows `</think>`."""
        return f"{ANSWER_OPEN}{self.sid(item)}{ANSWER_CLOSE}{self.eos}"

    def chain_completion(self, chain: Chain) -> str:
        """Return `<think>stages</think><answer>SID</answer>` and the end of the turn; see `chain_text`."""
        stages = chain_text(chain, self, self.config, self.labels)
        answer = self.answer_completion(self.catalogue.index_of(chain.target))
        return f"{THINK_OPEN}{stages}{THINK_CLOSE}{answer}"

    def encode_prompt(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt."""
        return token_ids(self.tokenizer, [text])[0]

    def encode(self, prompt: str, completion: str) -> Encoded:
        """Return one training row; see `encode_pairs`."""
        return self.encode_batch([(prompt, completion)])[0]

    def encode_batch(self, pairs: Sequence[Pair]) -> list[Encoded]:
        """Return training rows of (prompt, completion) strings; see `encode_pairs`."""
        return encode_pairs(self.tokenizer, pairs)

    def parse(self, text: str) -> Parsed:
        """Read a decoded completion strictly; see `parse_output`."""
        endings = [self.eos, self.tokenizer.pad_token or ""]
        vocabulary, labels = self.vocabulary, self.labels
        return parse_output(text, vocabulary, labels=labels, lengths=self._lengths, endings=endings)

    def save(self, path: str | Path) -> None:
        """Write the prompt configuration (prompts.json)."""
        self.config.save(path)
