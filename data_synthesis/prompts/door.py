"""What may a prompt know? Catalogue texts and the training part of each history: the one door to both."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from data_synthesis.examples import Example, choose_examples
from data_synthesis.facts import ItemFacts
from data_synthesis.prompts.fence import safe
from genrec.data.dataset import Dataset
from genrec.data.errors import DataError, describe
from genrec.data.sources.jsonlines import read_objects
from genrec.data.split import Split, SplitKind

TITLE, VALUE, DESCRIPTION, REVIEW, PROFILE = 160, 60, 1_200, 500, 500  # most characters of each


class TrainingView:
    """The training part of a dataset, as safe text. Prompt builders get this and nothing else.

    Validation and test items of a user are not in here: the split's targets are dropped at once, and reviews
    are those that `Dataset.split` allows as evidence.

    Args:
        dataset: The interactions.
        split: The split; `dataset.split(kind)` by default.
        kind: Rule of the split.
        profiles: User id to what the user says about themselves; optional.
        facts: What the catalogue knows; built from the dataset by default.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split | None = None,
        kind: SplitKind = "leave_one_out",
        profiles: Mapping[str, str] | None = None,
        facts: ItemFacts | None = None,
    ) -> None:
        train = (split or dataset.split(kind)).train
        self._train = [tuple(int(item) for item in history) for history in train]
        self._catalogue = dataset.catalogue
        self._rows = dataset.catalogue.frame.to_dicts()
        self._profiles = dict(profiles or {})
        self.user_ids = [str(user) for user in dataset.user_ids]
        self.item_ids = list(dataset.catalogue.item_ids)
        self.name = dataset.name
        self.facts = facts or ItemFacts(dataset.catalogue)
        self.title = lru_cache(maxsize=None)(self._title)

    def events(self, *, count: int, per_user: int, max_history: int, min_history: int, seed: int) -> list[Example]:
        """Training events to explain: history before, and the training item that followed.

        Raises:
            ValueError: No user has enough training events.
        """
        limits = {"per_user": per_user, "max_history": max_history, "min_history": min_history, "seed": seed}
        found = choose_examples(self._train, self.user_ids, max_chains=count or None, **limits)
        if not found:
            raise ValueError(f"{self.name}: no user has {min_history + 1} training events; lower --min_history")
        return found

    def histories(self, *, count: int, max_history: int, min_history: int) -> list[Example]:
        """The latest training items of each user, without an event to explain (target -1).

        Raises:
            ValueError: No user has enough training events.
        """
        found = [
            Example(user, self.user_ids[user], len(items), items[-max_history:], -1)
            for user, items in enumerate(self._train)
            if len(items) >= min_history
        ]
        if not found:
            raise ValueError(f"{self.name}: no user has {min_history} training events; lower --min_history")
        return found[:count] if count else found

    def history_lines(self, example: Example) -> list[str]:
        """One numbered line per history item, oldest first.

        Raises:
            AssertionError: The example shows something else than a stretch of the user's training part.
        """
        self._check(example)
        return [f"{number}. {self.line(item)}" for number, item in enumerate(example.history, start=1)]

    def target_line(self, example: Example) -> str:
        """The training item that followed the history."""
        self._check(example)
        assert example.target >= 0, "this question has no target"
        return self.line(example.target)

    def profile(self, example: Example) -> str:
        """What the user says about themselves, or nothing."""
        return safe(self._profiles.get(example.user_id, ""), PROFILE)

    def line(self, item: int) -> str:
        """Title and attributes of an item on one line."""
        facts = "; ".join(self.attribute_lines(item))
        return f"{self.title(item)} ({facts})" if facts else self.title(item)

    def attribute_lines(self, item: int) -> list[str]:
        """`kind: values` per attribute, at most five values each."""
        found = self._catalogue.attributes(item)
        return [f"{kind}: {', '.join(safe(v, VALUE) for v in values[:5])}" for kind, values in found.items()]

    def item_lines(self, item: int) -> list[str]:
        """All evidence about an item: title, attributes, description and training reviews."""
        row = self._rows[item]
        lines = [f"title: {self.title(item)}", *self.attribute_lines(item)]
        if row.get("description"):
            lines.append(f"description: {safe(row['description'], DESCRIPTION)}")
        return [*lines, *(f"review: {safe(review, REVIEW)}" for review in row.get("reviews") or [])]

    def _title(self, item: int) -> str:
        return safe(self.facts.names.titles[item], TITLE) or f"item {safe(self.item_ids[item], VALUE)}"

    def _check(self, example: Example) -> None:
        """Refuses what is no stretch of the user's training part."""
        items, end = self._train[example.user], example.position
        shown = items[max(0, end - len(example.history)) : end]
        next_item = items[end] if end < len(items) else -1
        if shown != example.history or example.target not in (-1, next_item):
            raise AssertionError(f"user {example.user_id!r}: the prompt would show more than the training part")


def read_profiles(path: str | Path | None) -> dict[str, str]:
    """Reads user profiles.

    Args:
        path: JSON lines with `user_id` and `profile` (text); None for no profiles.

    Raises:
        DataError: A line lacks a field.
    """
    profiles: dict[str, str] = {}
    for number, row in read_objects(path) if path else ():
        if not isinstance(row.get("profile"), str) or "user_id" not in row:
            remedy = 'write {"user_id": "7", "profile": "woman, 34, nurse"}'
            raise DataError(describe("a profile needs user_id and profile", file=path, line=number, remedy=remedy))
        profiles[str(row["user_id"])] = row["profile"]
    return profiles


def known_items(numbers: Sequence[int], history: Sequence[str]) -> list[str]:
    """Item ids by 1-based number in a shown history; "" for a number that was not shown."""
    places = map(int, numbers)  # JSON Schema calls 2.0 an integer too
    return [history[place - 1] if 0 < place <= len(history) else "" for place in places]
