"""Every filter of any record: what it rejects, under which name, and what it lets pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data_synthesis.facts import ItemFacts
from data_synthesis.filters import CHECKS_OF, FILTERS, FilterOptions, first_failure, mark_repeats
from data_synthesis.filters.near import near_duplicates
from data_synthesis.records import read_records
from genrec.data.chains import Chain, write_chains
from genrec.data.errors import DataError
from genrec.data.texts import TextRecord, read_texts, write_rows

Build = Callable[..., Chain]


def _users(text: str = "Likes Alien and the darker Sci-Fi.", **changes: object) -> TextRecord:
    fields: dict[str, object] = {"kind": "users", "subject": "u", "texts": {"description": text}, "history": ["m0"]}
    return TextRecord(**(fields | changes))  # type: ignore[arg-type]


def test_good_records_pass(films: ItemFacts) -> None:
    assert first_failure(films, _users()) is None
    item = TextRecord("items", "m10", {"description": "Die Hard is an action film set in a tower."})
    assert first_failure(films, item) is None
    reason = TextRecord("reasons", "u", {"reason": "Aliens, because you liked Alien."}, ["m0"], "m1")
    assert first_failure(films, reason) is None
    kept = TextRecord("rewrite", "u", {"reason": "All Alien."}, ["m0", "m7", "m2"], kept=["m0", "m2"])
    assert first_failure(films, kept) is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (_users(history=["m0", "m99"]), "unknown_item"),
        (_users(target="m99"), "unknown_target"),
        (_users(" "), "empty_description"),
        (_users("As an AI language model, I like Alien."), "refusal"),
        (_users("I'm sorry, but I cannot help with Alien."), "refusal"),
        (_users("Likes Alien <a_1><b_2>."), "markup"),
        (_users("Likes Alien <|im_end|>."), "markup"),
        (_users("Der Nutzer mag Alien und die Angst, und er ist nicht allein mit dem Film."), "wrong_language"),
        (_users("他喜欢科幻电影和恐怖电影还有很多别的 Alien"), "wrong_language"),
        (_users('Likes "Blade Runner Returns" and Alien.'), "unknown_quoted_item"),
        (_users("Likes quiet evenings at home."), "no_anchor"),
        (TextRecord("items", "m10", {"description": "A lovely kettle."}), "no_anchor"),
        (TextRecord("reasons", "u", {"reason": "Take Fargo, you liked Alien."}, ["m0"], "m1"), "target_not_named"),
        (TextRecord("reasons", "u", {"reason": "Aliens is great."}, ["m7"], "m1"), "no_anchor"),
        (TextRecord("rewrite", "u", {"reason": "x"}, ["m0", "m2"], kept=["m2", "m0"]), "denoised_order"),
        (TextRecord("rewrite", "u", {"reason": "x"}, ["m0", "m2"], kept=["m0", "m0"]), "denoised_order"),
        (TextRecord("rewrite", "u", {"reason": "x"}, ["m0", "m2"], kept=["m5"]), "denoised_unknown"),
        (TextRecord("rewrite", "u", {"reason": "x"}, ["m0", "m2"], kept=[""]), "denoised_unknown"),
        (TextRecord("rewrite", "u", {"reason": "x"}, ["m0", "m2"]), "denoised_empty"),
    ],
)
def test_each_fault_has_its_name(films: ItemFacts, record: TextRecord, reason: str) -> None:
    assert first_failure(films, record) == reason


def test_length_limits_are_options(films: ItemFacts) -> None:
    assert first_failure(films, _users("Alien"), FilterOptions(min_words=2)) == "too_short"
    assert first_failure(films, _users("Alien " * 9), FilterOptions(max_words=8)) == "too_long"


def test_language_is_an_option_and_titles_do_not_count(small_facts: Callable[..., ItemFacts]) -> None:
    facts = small_facts(["Le Dernier des Hommes et les Autres dans la Nuit", "Emma"])
    record = _users("Likes Le Dernier des Hommes et les Autres dans la Nuit and Emma.")
    assert first_failure(facts, record) is None
    german = _users("Er mag Emma und die Ruhe, und das ist nicht alles.", history=["m1"])
    assert first_failure(facts, german) == "wrong_language"
    assert first_failure(facts, german, FilterOptions(language="de")) is None
    assert first_failure(facts, german, FilterOptions(language="")) is None


def test_chain_about_an_unknown_item_is_rejected_not_an_error(films: ItemFacts, chain: Build) -> None:
    assert first_failure(films, chain(target="m99")) == "unknown_target"
    assert first_failure(films, chain(history=["m99"])) == "unknown_item"
    assert first_failure(films, chain(intent='like "Blade Runner Returns"')) == "unknown_quoted_item"


def test_near_duplicates_are_found_and_others_kept() -> None:
    base = "the user keeps coming back to quiet dramas of the nineties with strong women in the lead role"
    other = "someone else entirely wants loud action and explosions on every single weekend of the whole year"
    texts = [base, other, base + " today", base.replace("quiet", "loud"), base]
    assert near_duplicates(texts, 0.8) == [False, False, True, False, True]
    assert near_duplicates([], 0.8) == []


def test_overlap_is_judged_close_to_the_truth() -> None:
    one, two = (" ".join(f"w{n}" for n in span) for span in (range(202), range(50, 252)))
    # 200 triples each, 150 of them shared: Jaccard 150 / 250 = 0.6, with 128 hashes a standard error of 0.043;
    # 32 bands of 4 let such a pair meet in 1 - (1 - 0.6^4)^32 = 98.8 % of cases
    assert near_duplicates([one, two], 0.45) == [False, True]
    assert near_duplicates([one, two], 0.75) == [False, False]


def test_zero_keeps_every_repeat() -> None:
    assert mark_repeats([_users(), _users()], 0) == [False, False]
    assert mark_repeats([_users(), _users()], 0.9) == [False, True]


def test_every_filter_is_used_by_a_command() -> None:
    assert {name for names in CHECKS_OF.values() for name in names} == set(FILTERS)


@pytest.mark.parametrize("changes", [{"language": "xx"}, {"min_words": 5, "max_words": 4}, {"near_duplicates": 2.0}])
def test_bad_options_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        FilterOptions(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["r.jsonl", "r.parquet"])
def test_records_survive_their_files(tmp_path: Path, name: str, chain: Build) -> None:
    records = [_users(extra={"n": 1}), TextRecord("items", "m1", {"description": "é ‹a›"})]
    write_rows(tmp_path / name, records)
    assert read_texts(tmp_path / name) == read_records(tmp_path / name) == records
    write_chains(tmp_path / name, [chain(extra={"mode": "x"})])
    assert read_records(tmp_path / name) == [chain(extra={"mode": "x"})]


def test_bad_record_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"kind": "users", "subject": "u", "texts": {"a": 3}}\n')
    with pytest.raises(DataError, match="'texts' has the wrong type"):
        read_texts(path)
    path.write_text('{"kind": "poems", "subject": "u", "texts": {}}\n')
    with pytest.raises(DataError, match="unknown kind"):
        read_texts(path)
