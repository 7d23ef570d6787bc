"""arXiv metadata with a table of readers: titles, abstracts, categories, first authors, years; bad input named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec.data import load_dataset
from genrec.data.errors import DataError

PAPERS = [
    {
        "id": f"2101.0000{n}", "title": f"A study\n  of thing {n}", "abstract": "We study\nit.",
        "categories": "cs.IR cs.LG",
        "authors": "Ada Lovelace, Alan Turing and others", "update_date": "2021-03-04",
    }
    for n in range(4)
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = "".join(json.dumps(paper) + "\n" for paper in PAPERS)
    (tmp_path / "arxiv-metadata-oai-snapshot.json").write_text(lines)
    rows = [f"u{user},{PAPERS[(user + n) % 4]['id']},{100 * n + user}" for user in range(3) for n in range(4)]
    (tmp_path / "interactions.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_papers_become_items(folder: Path) -> None:
    dataset = load_dataset(folder)
    assert dataset.num_users == 3
    item = dataset.catalogue.index_of("2101.00000")
    assert dataset.catalogue.titles[item] == "A study of thing 0"
    assert dataset.catalogue.attributes(item) == {
        "brand": ["Ada Lovelace"], "categories": ["cs.IR", "cs.LG"], "year": ["2021"]
    }  # fmt: skip
    assert "We study it." in dataset.catalogue.text(item)
    assert dataset.catalogue.item_ids[dataset.histories[1][0]] == "2101.00001"


def test_two_dumps_and_broken_lines_are_named(folder: Path) -> None:
    (folder / "arxiv-metadata-2.json").write_text("{}\n")
    with pytest.raises(DataError, match="several metadata dumps"):
        load_dataset(folder)
    (folder / "arxiv-metadata-2.json").unlink()
    (folder / "arxiv-metadata-oai-snapshot.json").write_text("{broken\n")
    with pytest.raises(DataError, match="line 1"):
        load_dataset(folder)
