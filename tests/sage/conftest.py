"""Makes the toys of this folder importable, and a split of the toy shop."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sage.stages.data import RunData, prepare


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The toy shop with new users and new items, and hashed text vectors."""
    from sage_runs import sft_arguments

    return prepare(sft_arguments(), tmp_path_factory.mktemp("data"))
