"""The offline teacher: deterministic, varied, short in compact style, and always passing its own filters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_synthesis.engines.offline import OfflineTeacher
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import anchor_check, first_failure, leak_check, order_check

SCI_FI = Example(0, "u", 3, (6, 9, 3), 4)


def test_same_seed_and_event_give_the_same_chain(films: ItemFacts) -> None:
    assert OfflineTeacher(films, "full", 3).write(SCI_FI) == OfflineTeacher(films, "full", 3).write(SCI_FI)


def test_attempts_and_seeds_vary_the_wording(films: ItemFacts) -> None:
    texts = {OfflineTeacher(films, "full", 3).write(SCI_FI, attempt).behaviour for attempt in range(20)}
    assert len(texts) > 3
    assert OfflineTeacher(films, "full", 3).write(SCI_FI) != OfflineTeacher(films, "full", 4).write(SCI_FI)


def test_compact_chain_is_short_and_keeps_four_items(films: ItemFacts) -> None:
    example = Example(0, "u", 9, (0, 1, 3, 5, 6, 7, 8, 9, 10), 4)
    for attempt in range(20):
        chain = OfflineTeacher(films).write(example, attempt)
        stages = (chain.behaviour, chain.preferences, chain.intent, chain.recommendation)
        assert sum(len(stage.split()) for stage in stages) <= 30
        assert len(chain.denoised) == 4


def test_fallback_says_that_nothing_is_shared(films: ItemFacts) -> None:
    chain = OfflineTeacher(films, "full").write(Example(0, "u", 3, (5, 6, 7), 9))
    assert chain.extra["mode"] == "explore"
    assert "Drama" in chain.recommendation
    assert any(word in chain.recommendation for word in ("no attribute in common", "step away"))


def test_unknown_style_is_an_error(films: ItemFacts) -> None:
    with pytest.raises(ValueError, match="'terse' is unknown; choose one of compact, full"):
        OfflineTeacher(films, "terse")  # type: ignore[arg-type]


@pytest.mark.parametrize("style", ["compact", "full"])
@given(
    history=st.lists(st.integers(0, 11), min_size=1, max_size=8),
    target=st.integers(0, 11),
    attempt=st.integers(0, 3),
)
def test_chain_never_names_the_target_early_and_is_anchored(
    films: ItemFacts, style: str, history: list[int], target: int, attempt: int
) -> None:
    teacher = OfflineTeacher(films, style)  # type: ignore[arg-type]
    chain = teacher.write(Example(0, "u", len(history), tuple(history), target), attempt)
    assert leak_check(films, chain) in (None, "leak_title_word")  # a template word may be a title word
    assert order_check(films, chain) is None
    assert anchor_check(films, chain) is None or target in history


def test_most_first_attempts_pass_all_checks(films: ItemFacts) -> None:
    pairs = [((a, b, c), t) for a in range(12) for b in (0, 5, 9) for c in (3, 7, 10) for t in range(12)]
    pairs = [(history, t) for history, t in pairs if t not in history and len(set(history)) == 3]
    teacher = OfflineTeacher(films)
    passed = [first_failure(films, teacher.write(Example(0, "u", 3, h, t))) is None for h, t in pairs]
    assert sum(passed) / len(passed) > 0.95
