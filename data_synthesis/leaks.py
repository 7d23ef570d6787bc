"""Does a text give the target away? The one definition that the planner obeys and the filter enforces."""

import re
from dataclasses import dataclass

from data_synthesis.facts import ItemFacts
from data_synthesis.text import STOPWORDS, contains, ngrams, words

SID_TOKEN = re.compile(r"<[a-z]+(?:_\d+)+>", re.IGNORECASE)
NGRAM = 5


@dataclass(frozen=True)
class Secret:
    """What must not be said about a target before stage 4.

    Attributes:
        runs: Word runs that name the target: its title, with and without a year, its short name where unique.
        title: The words of its title.
        ngrams: Its runs of five title words.
        item_id: The words of its id.
    """

    runs: tuple[tuple[str, ...], ...]
    title: tuple[str, ...]
    ngrams: frozenset[tuple[str, ...]]
    item_id: tuple[str, ...]

    @classmethod
    def of(cls, facts: ItemFacts, target: int) -> "Secret":
        """The secret of one item of the catalogue."""
        names = facts.names
        forms = [names.titles[target], names.titles[target].rsplit(" (", 1)[0], names.full[target]]
        if names.unique[target]:
            forms.append(names.short[target])
        runs = dict.fromkeys(words(form) for form in forms)
        title = words(names.titles[target])
        five = frozenset(ngrams(title, NGRAM))
        return cls(tuple(r for r in runs if r), title, five, words(facts.item_ids[target]))

    def revealed_by(self, text_words: tuple[str, ...]) -> bool:
        """True when the words name the target or quote five words of its title in a row."""
        if any(contains(text_words, run) for run in self.runs):
            return True
        return not self.ngrams.isdisjoint(ngrams(text_words, NGRAM))

    def revealed_by_item(self, facts: ItemFacts, item: int) -> bool:
        """True when calling this (history) item by name would name the target."""
        return any(self.revealed_by(words(form)) for form in facts.names.forms(item))


def leak_reason(facts: ItemFacts, text: str, target: int, history: list[int]) -> str | None:
    """Says how a text reveals the target.

    Args:
        facts: What the catalogue knows.
        text: Everything that is emitted before stage 4.
        target: The item to be kept secret.
        history: Items shown; their title and attribute words are no secret.

    Returns:
        None when nothing is revealed, else "leak_sid" (any semantic-id token), "leak_title" (title, unique
        short name or five title words in a row), "leak_title_word" (a telling title word that the history
        lacks) or "leak_id".
    """
    secret = Secret.of(facts, target)
    said = words(text)
    if SID_TOKEN.search(text):
        return "leak_sid"
    if secret.revealed_by(said):
        return "leak_title"
    known = facts.words_of(history)
    if {word for word in secret.title if _distinctive(word)}.difference(known).intersection(said):
        return "leak_title_word"
    if contains(said, secret.item_id) and not known.issuperset(secret.item_id):
        return "leak_id"
    return None


def _distinctive(word: str) -> bool:
    """False for function words and for numbers below 100, which every count and size is full of."""
    return word not in STOPWORDS and not (word.isdigit() and len(word) <= 2)
