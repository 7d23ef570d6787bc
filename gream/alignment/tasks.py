"""Which prompt and which completion make an example of each text task? One generator of pairs per task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

from gream.alignment.corpus import Corpus
from gream.alignment.texts import attribute_summary, item_query
from gream.prompts import wordings
from gream.prompts.tokens import Pair


def text_to_sid(corpus: Corpus) -> Iterator[Pair]:
    """Item text -> SID, one source per item."""
    task, form = wordings.TEXT_TO_SID, corpus.formatter
    texts, rng = form.catalogue.texts(), corpus.generator(task)
    for item in corpus.select(task, range(len(texts)), rng):
        wording = corpus.pick_wording(task, rng)
        prompt = form.text_prompt(task, texts[item], wording, corpus.config.max_text_words)
        yield prompt, form.item_completion(item)


def sid_to_title(corpus: Corpus) -> Iterator[Pair]:
    """SID -> title, one source per item."""
    yield from _sid_to_text(
        corpus, wordings.SID_TO_TITLE, corpus.formatter.catalogue.titles, corpus.config.max_title_words
    )


def sid_to_description(corpus: Corpus) -> Iterator[Pair]:
    """SID -> description (the fused evidence of METHODS 1.1), one source per item."""
    texts = corpus.formatter.catalogue.texts()
    yield from _sid_to_text(corpus, wordings.SID_TO_DESCRIPTION, texts, corpus.config.max_text_words)


def _sid_to_text(corpus: Corpus, task: str, texts: list[str], max_words: int) -> Iterator[Pair]:
    """SID in the user turn -> one of the item's texts; items without that text are skipped."""
    form, rng = corpus.formatter, corpus.generator(task)
    for item in corpus.select(task, range(len(texts)), rng):
        wording = corpus.pick_wording(task, rng)
        if texts[item].strip():
            yield form.item_prompt(task, item, wording), form.text_completion(texts[item], max_words)


def history_to_preferences(corpus: Corpus) -> Iterator[Pair]:
    """History -> preference summary: the chain's where the user has one, else the commonest attributes."""
    task, form = wordings.HISTORY_TO_PREFERENCES, corpus.formatter
    rng = corpus.generator(task)
    for user in corpus.select(task, _users(corpus, 1), rng):
        wording = corpus.pick_wording(task, rng)
        for history, summary in _summaries(corpus, user):
            if summary:
                prompt = form.history_prompt(task, history, wording)
                yield prompt, form.text_completion(summary, corpus.config.max_text_words)


def _summaries(corpus: Corpus, user: int) -> Iterator[tuple[list[int], str]]:
    """Yield (history, summary) of a user."""
    index_of = corpus.formatter.catalogue.index_of
    for chain in corpus.chains.get(user, []):
        yield [index_of(item) for item in chain.history], chain.preferences
    if user not in corpus.chains:
        history = corpus.formatter.latest([int(item) for item in corpus.histories[user]])
        yield history, attribute_summary([corpus.attributes(item) for item in history])


def query_to_sid(corpus: Corpus) -> Iterator[Pair]:
    """Query or preference text -> SID: one source per item and one per chain."""
    task, form = wordings.QUERY_TO_SID, corpus.formatter
    titles, rng = form.catalogue.titles, corpus.generator(task)
    wanted = [(item, "") for item in range(len(titles))]
    wanted += [(form.catalogue.index_of(c.target), c.preferences) for user in corpus.chains.values() for c in user]
    for item, preferences in corpus.select(task, wanted, rng):
        wording = corpus.pick_wording(task, rng)
        text = preferences or item_query(titles[item], corpus.attributes(item), rng)
        yield form.text_prompt(task, text, wording, corpus.config.max_text_words), form.item_completion(item)


def history_to_title(corpus: Corpus) -> Iterator[Pair]:
    """SID history -> title of the next item; one random cut of the training history per user."""
    task, form = wordings.HISTORY_TO_TITLE, corpus.formatter
    rng = corpus.generator(task)
    for user in corpus.select(task, _users(corpus, 2), rng):
        wording, history = corpus.pick_wording(task, rng), corpus.histories[user]
        cut = 1 + int(rng.integers(len(history) - 1))
        prompt = form.history_prompt(task, [int(item) for item in history[:cut]], wording)
        title = form.catalogue.titles[int(history[cut])]
        yield prompt, form.text_completion(title, corpus.config.max_title_words)


def _users(corpus: Corpus, least: int) -> list[int]:
    """Return dense users with at least `least` training items."""
    return [user for user, history in enumerate(corpus.histories) if len(history) >= least]


TEXT_TASKS: MappingProxyType[str, Callable[[Corpus], Iterator[Pair]]] = MappingProxyType(
    {
        wordings.TEXT_TO_SID: text_to_sid,
        wordings.SID_TO_TITLE: sid_to_title,
        wordings.SID_TO_DESCRIPTION: sid_to_description,
        wordings.HISTORY_TO_PREFERENCES: history_to_preferences,
        wordings.QUERY_TO_SID: query_to_sid,
        wordings.HISTORY_TO_TITLE: history_to_title,
    }
)
