"""A hand-made film catalogue, and the datasets that the teacher is judged on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from data_synthesis.facts import ItemFacts
from genrec.data import Dataset, load_dataset
from genrec.data.chains import Chain

FILMS: list[tuple[str, list[str], int]] = [
    ("Alien", ["Horror", "Sci-Fi"], 1979),  # 0
    ("Aliens", ["Action", "Sci-Fi"], 1986),  # 1
    ("Alien: Resurrection", ["Action", "Sci-Fi"], 1997),  # 2
    ("Star Trek: First Contact", ["Sci-Fi"], 1996),  # 3
    ("Star Trek: Generations", ["Sci-Fi"], 1994),  # 4
    ("Cop Land", ["Crime", "Drama"], 1997),  # 5
    ("Fargo", ["Crime", "Drama"], 1996),  # 6
    ("Emma", ["Romance", "Drama"], 1996),  # 7
    ("Sabrina", ["Romance", "Comedy"], 1954),  # 8
    ("Toy Story", ["Animation", "Comedy"], 1995),  # 9
    ("Die Hard", ["Action", "Thriller"], 1988),  # 10
    ("Heat", ["Crime", "Thriller"], 1995),  # 11
]


@dataclass
class SmallCatalogue:
    """The part of a catalogue that the teacher reads; item ids are m0, m1, ..."""

    titles: list[str]
    found: list[dict[str, list[str]]]

    @property
    def item_ids(self) -> list[str]:
        return [f"m{item}" for item in range(len(self.titles))]

    def attributes(self, index: int, /) -> dict[str, list[str]]:
        return self.found[index]


@pytest.fixture(scope="session")
def small_facts() -> Callable[..., ItemFacts]:
    """Builds facts from titles and, if given, attributes."""

    def build(titles: list[str], found: list[dict[str, list[str]]] | None = None) -> ItemFacts:
        return ItemFacts(SmallCatalogue(titles, found or [{} for _ in titles]))

    return build


@pytest.fixture(scope="session")
def films(small_facts: Callable[..., ItemFacts]) -> ItemFacts:
    return small_facts([f[0] for f in FILMS], [{"genres": f[1], "year": [str(f[2])]} for f in FILMS])


@pytest.fixture
def chain() -> Callable[..., Chain]:
    """A correct chain about Alien: Resurrection after Alien, Fargo and Star Trek; fields can be replaced."""

    def build(**changes: object) -> Chain:
        fields: dict[str, object] = {
            "user_id": "u",
            "history": ["m6", "m1", "m3"],
            "target": "m10",
            "behaviour": "Fargo then Aliens",
            "preferences": "Action, Sci-Fi",
            "intent": "more Action",
            "recommendation": "Die Hard because Action like Aliens",
            "denoised": ["m1", "m3"],
            "teacher": "test",
        }
        return Chain(**(fields | changes))  # type: ignore[arg-type]

    return build


@pytest.fixture(scope="session")
def toy() -> Dataset:
    return load_dataset("toy")


def real(name: str) -> Dataset:
    """A real dataset of the shared folder; skips the test where the folder is absent."""
    folder = Path(os.environ.get("GENREC_DATA", "../shared/data")) / name
    if not (folder / "interactions.parquet").exists():
        pytest.skip(f"{folder} is absent")
    return load_dataset(folder)


@pytest.fixture(scope="session", params=["movielens_100k", "amazon_beauty_2014"])
def real_data(request: pytest.FixtureRequest) -> Dataset:
    return real(request.param)


class LocalServer:
    """The misbehaving server in a process of its own."""

    def __init__(self, *words: str) -> None:
        script = Path(__file__).parent / "misbehaving_server.py"
        self.process = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def log(self) -> list[dict[str, str]]:
        with urlopen(f"http://127.0.0.1:{self.port}/log") as response:
            return list(json.load(response))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LocalServer]]:
    """Starts local servers; the key in the environment is "sk-test-secret"."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret")
    started: list[LocalServer] = []

    def start(*words: str) -> LocalServer:
        started.append(LocalServer(*words))
        return started[-1]

    yield start
    for server in started:
        server.stop()
