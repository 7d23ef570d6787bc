"""Makes the toys of this folder and the gateway's importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from browsing import browser  # noqa: F401 - a fixture
