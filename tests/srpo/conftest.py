"""Makes the toys of this folder importable and builds the tiny model once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # replayed rollouts use TRL's rollout_func


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a one-layer model and its tokenizer."""
    from srpo_toys import save_toy_model

    return save_toy_model(tmp_path_factory.mktemp("toy_model"))


@pytest.fixture(scope="session")
def thinking_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that writes a chain and tags around its answer."""
    from srpo_toys import save_toy_model

    return save_toy_model(tmp_path_factory.mktemp("thinking_model"), thinks=True)
