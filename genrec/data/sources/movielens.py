"""How are MovieLens-100K and 1M read and fetched? GroupLens files, and RecBole's copy of 100K."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, describe
from genrec.data.raw import RawData, Request
from genrec.data.sources.checks import check_rows
from genrec.data.sources.jsonlines import read_lines
from genrec.fetch import cache_folder, cached, fetch_wheel

logger = logging.getLogger(__name__)
DOWNLOADS = {
    "movielens_100k": "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    "movielens_1m": "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
}
RECBOLE = "recbole==1.2.1"
RECBOLE_FOLDER = "recbole/dataset_example/ml-100k"
TIMEOUT_SECONDS = 20
GENRES_100K = (
    *(
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
    ),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_YEAR = re.compile(r"^(?P<title>.*?)\s*\((?P<year>\d{4})\)\s*$")
# file of interactions -> (dataset, file of items, separator)
_FORMATS = {
    "u.data": ("movielens_100k", "u.item", "\t"),
    "ratings.dat": ("movielens_1m", "movies.dat", "::"),
    "ml-100k.inter": ("movielens_100k", "ml-100k.item", "\t"),
}


def matches(path: Path) -> bool:
    """Whether a path is a folder of MovieLens files."""
    return any((path / name).is_file() for name in _FORMATS)


def read(path: Path, request: Request) -> RawData:
    """Read a MovieLens folder: GroupLens' 100K or 1M, or RecBole's atomic files of 100K.

    Args:
        path: The folder.
        request: Policy for bad rows.

    Returns:
        The raw data with ratings, timestamps, titles, years and genres.
    """
    file_name = next(name for name in _FORMATS if (path / name).is_file())
    dataset, item_name, separator = _FORMATS[file_name]
    file = path / file_name
    records = [
        (number, *fields[:4])
        for number, fields in _fields(file, separator, 4, request)
        if not fields[0].startswith("user_id:")
    ]
    schema = ["line", "user_id", "item_id", "rating", "timestamp"]
    frame = pl.DataFrame(records, schema=[(schema[0], pl.Int64), *((n, pl.String) for n in schema[1:])], orient="row")
    return RawData(
        name=dataset,
        interactions=check_rows(frame.lazy(), file, request),
        items=lambda kept: (row for row in _items(path / item_name, separator, request) if row["item_id"] in kept),
        file=file,
        info={"source": "movielens", "file": file_name},
    )


def download(name: str, request: Request) -> RawData:
    """Fetch a MovieLens set into the cache and read it; 100K comes in a package when GroupLens is silent.

    Args:
        name: "movielens_100k" or "movielens_1m".
        request: Policy for bad rows.

    Returns:
        The raw data.

    Raises:
        DataError: If nothing answers; names what was tried and the remedy.
    """
    packaged = cached("wheels", RECBOLE) / RECBOLE_FOLDER
    if name == "movielens_100k" and packaged.is_dir():
        return read(packaged, request)
    try:
        return read(_from_grouplens(name), request)
    except (OSError, zipfile.BadZipFile) as error:  # URLError and TimeoutError are OSErrors
        reason: Exception = error
        logger.info("%s: GroupLens does not answer (%s)", name, error)
    if name == "movielens_100k":
        try:
            return read(fetch_wheel(RECBOLE) / RECBOLE_FOLDER, request)
        except RuntimeError as error:
            reason = error
    remedy = f"unpack {DOWNLOADS[name]} yourself and pass the folder"
    raise DataError(describe(f"{name} cannot be downloaded ({reason})", remedy=remedy))


def _from_grouplens(name: str) -> Path:
    """Download and unpack into `<cache>/data/<name>`, where it appears only when complete."""
    target = cache_folder() / "data" / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as scratch:
        archive = Path(scratch) / "archive.zip"
        with (
            urllib.request.urlopen(DOWNLOADS[name], timeout=TIMEOUT_SECONDS) as answer,
            archive.open("wb") as out,
        ):
            shutil.copyfileobj(answer, out)
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(scratch)
        found = {file.parent for file_name in _FORMATS for file in Path(scratch).rglob(file_name)}
        if len(found) != 1:
            raise zipfile.BadZipFile(f"{DOWNLOADS[name]} holds no MovieLens files")
        found.pop().rename(target)
    return target


def _fields(path: Path, separator: str, least: int, request: Request) -> Iterator[tuple[int, list[str]]]:
    """Stream the fields of each line; a line with too few is bad."""
    for number, line in read_lines(path, request.log):
        fields = _decoded(line).split(separator)
        if len(fields) >= least:
            yield number, fields
        else:
            what = f"the line has {len(fields)} fields, not {least}"
            request.log.bad("bad_line", what, file=path, line=number, value=line, remedy="unpack the archive again")


def _decoded(line: bytes) -> str:
    """GroupLens writes Latin-1, RecBole UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _items(path: Path, separator: str, request: Request) -> Iterator[dict[str, Any]]:
    """Stream item records of any of the three formats."""
    parsers: dict[str, tuple[str, int, Callable[[list[str]], dict[str, Any]]]] = {
        "u.item": ("|", 24, _item_100k),
        "movies.dat": (separator, 3, _item_1m),
        "ml-100k.item": (separator, 4, _item_recbole),
    }
    mark, least, parse = parsers[path.name]
    for _, fields in _fields(path, mark, least, request):
        if not fields[0].startswith("item_id:"):
            yield {"item_id": fields[0], **parse(fields)}


def _titled(text: str) -> dict[str, Any]:
    """Split "Toy Story (1995)" into title and year."""
    found = _YEAR.match(text)
    return {"title": found["title"], "year": int(found["year"])} if found else {"title": text}


def _item_100k(fields: list[str]) -> dict[str, Any]:
    flags = zip(GENRES_100K, fields[5:24], strict=True)
    return {**_titled(fields[1]), "genres": [genre for genre, flag in flags if flag == "1"]}


def _item_1m(fields: list[str]) -> dict[str, Any]:
    return {**_titled(fields[1]), "genres": fields[2].split("|")}


def _item_recbole(fields: list[str]) -> dict[str, Any]:
    year = int(fields[2]) if fields[2].isdigit() else None
    return {"title": fields[1], "year": year, "genres": fields[3].split()}
