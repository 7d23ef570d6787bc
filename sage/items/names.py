"""Which short name does each item get? Names spelt in tokens that the tokenizer already has.

No token is added and no embedding row is made, so an item is recommendable the moment it has a title. A name is the
shortest beginning of the title (from three words on) whose tokens no other item has; equal titles are numbered. Names
that were given stay: new items are named around them. Every spelling ends with the tokenizer's end token, hence no
item's spelling begins another's.
Source: METHODS 4 (vocabulary reuse); the rule of the names is ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.escape import escape_text
from genrec.data.files import read_json, write_whole
from genrec.decoding.trie import PAD, Trie

FORMAT = "sage.native_names/1"
MIN_WORDS = 3
MAX_WORDS = 12  # of a name without its number; longer titles are cut


@dataclass(frozen=True)
class NativeNames:
    """Names of a catalogue and their spelling.

    Attributes:
        names: one per item, item order.
        token_ids: per item the tokens of its name, without the end token.
        end_id: the token that ends every spelling.
    """

    names: tuple[str, ...]
    token_ids: tuple[tuple[int, ...], ...]
    end_id: int

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_titles(cls, titles: Sequence[str], tokenizer: Any) -> NativeNames:
        """Name a whole catalogue.

        Args:
            titles: one per item; untrusted, so they are escaped.
            tokenizer: any Hugging Face tokenizer with an end token; left as it is.

        Raises:
            ValueError: no title, or a tokenizer without end token.
        """
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer has no end token, which ends every name; set tokenizer.eos_token")
        if not titles:
            raise ValueError("there are no titles to name items by; load a catalogue with titles")
        return cls((), (), int(tokenizer.eos_token_id)).with_titles(titles, tokenizer)

    def with_titles(self, titles: Sequence[str], tokenizer: Any) -> NativeNames:
        """Add new items behind the old ones, whose names and spellings stay exactly as they are.

        Args:
            titles: titles of the new items.
            tokenizer: the tokenizer of the old names.

        Returns:
            The longer vocabulary; what it adds depends on the old names and on the order of the titles only.
        """
        names, spellings = list(self.names), list(self.token_ids)
        taken, added = set(spellings), tuple(tokenizer.get_added_vocab())
        forbidden = {*tokenizer.get_added_vocab().values(), *tokenizer.all_special_ids, self.end_id}
        for item, title in enumerate(titles, start=len(names)):
            clean = escape_text(title, added) or f"item {item}"
            name, spelling = _first_free(clean, tokenizer, taken, forbidden)
            taken.add(spelling)
            names.append(name)
            spellings.append(spelling)
        return NativeNames(tuple(names), tuple(spellings), self.end_id)

    def answer_ids(self, item: int) -> list[int]:
        """What the model writes for an item: its name's tokens and the end token."""
        return [*self.token_ids[item], self.end_id]

    def token_codes(self) -> NDArray[np.int64]:
        """Answers of all items, (num_items, longest) padded with -1: what a token trie is built from."""
        width = max(len(ids) for ids in self.token_ids) + 1
        table = np.full((len(self), width), PAD, dtype=np.int64)
        for item in range(len(self)):
            answer = self.answer_ids(item)
            table[item, : len(answer)] = answer
        return table

    def trie(self) -> Trie:
        """Prefix tree of all answers, for beam search and `AnswerConstraint`."""
        return Trie.from_codes(self.token_codes())

    def save(self, path: str | Path) -> None:
        """Write names, tokens and end token as one JSON file; equal vocabularies give equal bytes."""
        content = {"format": FORMAT, "end_id": self.end_id, "names": self.names, "token_ids": self.token_ids}
        write_whole(path, json.dumps(content, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> NativeNames:
        """Read a file written by `save`.

        Raises:
            ValueError: the file is something else.
        """
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path} holds no {FORMAT!r} names; rebuild it with NativeNames.from_titles")
        spellings = tuple(tuple(int(token) for token in ids) for ids in content["token_ids"])
        return cls(tuple(content["names"]), spellings, int(content["end_id"]))


def candidates(title: str) -> Iterator[str]:
    """Possible names of a title, shortest first: its first 3, 4, ... words, then the longest with a number."""
    words = title.split(" ")
    for size in range(min(MIN_WORDS, len(words)), min(MAX_WORDS, len(words)) + 1):
        yield " ".join(words[:size])
    for number in count(2):
        yield f"{' '.join(words[:MAX_WORDS])} {number}"


def _first_free(
    title: str, tokenizer: Any, taken: set[tuple[int, ...]], forbidden: set[int]
) -> tuple[str, tuple[int, ...]]:
    """The first candidate whose tokens nobody has.

    Raises:
        ValueError: the tokenizer turns the escaped title into nothing or into a token that is not of its words, or
            spells different names alike.
    """
    most = len(taken) + MAX_WORDS + 1  # so many different spellings cannot all be taken
    for name in islice(candidates(title), most):
        spelling = tuple(tokenizer(name, add_special_tokens=False)["input_ids"])
        if not spelling or forbidden.intersection(spelling):
            raise ValueError(
                f"the title {title!r} is spelt with added or special tokens {spelling}; "
                "clean the title or take a tokenizer that knows its characters"
            )
        if spelling not in taken:
            return name, spelling
    raise ValueError(
        f"the tokenizer spells the title {title!r} and {most} numbered names like names that are taken; "
        "take one that knows digits and words apart"
    )
