"""The catalogue cleans texts, never shows an empty title, and finds items by any of their ids."""

from __future__ import annotations

import polars as pl
import pytest

from genrec.data import Catalogue, DataError
from genrec.data.text import clean_text, flat_names, plain_scalar

RECORDS = [
    {
        "item_id": 7,
        "asin": "B01",
        "title": "Soap &amp;amp; Glory <b>Scrub</b>",
        "brand": "Soap &amp; Glory",
        "categories": [["Beauty", "Bath"], ["Beauty", "Gifts"]],
        "description": "Smells\n of  rose",
        "keywords": "rose scrub",
    },
    {"item_id": 9, "asin": None, "title": "", "categories": None, "keywords": "nail file"},
    {"item_id": 11, "asin": "B03", "title": None, "categories": [], "year": 1995, "genres": ["Drama", None]},
]


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue.from_records(RECORDS)


def test_titles_fall_back_to_keywords_and_then_to_the_id(catalogue: Catalogue) -> None:
    assert catalogue.titles == ["Soap & Glory Scrub", "nail file", "item B03"]


def test_category_paths_are_flattened_without_repetition(catalogue: Catalogue) -> None:
    assert catalogue.attributes(0) == {"brand": ["Soap & Glory"], "categories": ["Beauty", "Bath", "Gifts"]}
    assert catalogue.attributes(1) == {}
    assert catalogue.attributes(2) == {"genres": ["Drama"], "year": ["1995"]}


def test_text_fuses_all_evidence_and_invents_nothing(catalogue: Catalogue) -> None:
    assert catalogue.text(0) == (
        "Soap & Glory Scrub. Brand: Soap & Glory. Categories: Beauty, Bath, Gifts. Keywords: rose scrub."
        " Smells of rose."
    )
    assert catalogue.texts()[1] == "nail file."


def test_reviews_become_evidence(catalogue: Catalogue) -> None:
    with_reviews = catalogue.with_reviews({"9": ["Sharp and solid!"]})
    assert with_reviews.text(1) == "nail file. A buyer says: Sharp and solid!"
    assert with_reviews.text(2) == catalogue.text(2)


def test_an_item_is_found_by_id_and_by_asin(catalogue: Catalogue) -> None:
    assert [catalogue.index_of(9), catalogue.index_of("9"), catalogue.index_of("B03")] == [1, 1, 2]
    with pytest.raises(DataError, match=r"no such item \(value: 'B99'\).*such as 7, 9, 11"):
        catalogue.index_of("B99")


def test_frame_is_numbered_in_dense_order(catalogue: Catalogue) -> None:
    assert catalogue.frame["item_index"].to_list() == [0, 1, 2]
    assert catalogue.frame.columns[:6] == [
        "item_index",
        "item_id",
        "title",
        "description",
        "brand",
        "categories",
    ]
    assert catalogue.frame["categories"].to_list()[1:] == [[], []]


@pytest.mark.parametrize("name", ["items.jsonl.gz", "items.jsonl"])
def test_saving_and_loading_gives_the_same_catalogue(catalogue: Catalogue, tmp_path, name: str) -> None:
    catalogue.save(tmp_path / name)
    first = (tmp_path / name).read_bytes()
    loaded = Catalogue.load(tmp_path / name)
    assert loaded.frame.equals(catalogue.frame)
    loaded.save(tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


def test_repeated_ids_are_refused() -> None:
    with pytest.raises(DataError, match=r"occurs twice \(value: \['a'\]\)"):
        Catalogue(pl.DataFrame({"item_id": ["a", "b", "a"]}))
    with pytest.raises(DataError, match="no column 'item_id'"):
        Catalogue(pl.DataFrame({"asin": ["a"]}))


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (None, ""),
        (float("nan"), ""),
        ("a &lt; b &#39;c&#39;", "a < b 'c'"),
        ("x </span></span>, by Y", "x , by Y"),
        ("I <3 this, 1 < 2 > 0", "I <3 this, 1 < 2 > 0"),
        (["two ", None, "parts"], "two parts"),
        ("bad \ud83d end", "bad end"),
        (12, "12"),
    ],
)
def test_clean_text_unescapes_and_drops_tags(raw: object, clean: str) -> None:
    assert clean_text(raw) == clean


def test_flat_names_and_plain_scalars() -> None:
    assert flat_names([["A", "B"], "C", ["A", " "]]) == ["A", "B", "C"]
    assert [plain_scalar(v) for v in (1, 1.5, "x", True, None, [1], "\ud800")] == ["1", "1.5", "x"] + [None] * 4
