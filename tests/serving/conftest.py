"""A gateway in front of the toy engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("fastapi")

from browsing import browser  # noqa: F401 - a fixture


@pytest.fixture
def engine() -> Any:
    from serving_toys import ToyEngine

    return ToyEngine()


@pytest.fixture
def make(tmp_path: Path, engine: Any) -> Any:
    """Make an application with some settings of its own."""
    from genrec.serving.config import ServingConfig
    from genrec.serving.gateway import create_app

    def build(pool: Any = None, doors: Any = (), **settings: Any) -> Any:
        return create_app(engine, ServingConfig(state_dir=tmp_path, **settings), pool, doors=doors)

    return build


@pytest.fixture
def client(make: Any) -> Iterator[Any]:
    """A client of a gateway with default settings."""
    from fastapi.testclient import TestClient

    with TestClient(make()) as found:
        yield found
