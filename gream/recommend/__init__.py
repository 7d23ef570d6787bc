"""How does a trained GREAM checkpoint answer a request? One folder in, ranked items out.

folder.py       what a recommender folder holds, and the check that weights and index belong together
recommender.py  GreamRecommender: direct, reasoning and mixed mode for one request
batch.py        the same for many histories, as evaluation needs it
runner.py       token ids in, items and parsed chains out
processors.py   what watches and steers a chain while it is drawn
sampling.py     chains from `model.generate`, with nothing inherited from the model folder
lists.py        votes and merging: the pure part
requests.py     history and k as users write them, checked
scenario.py     which mode serves which page
trace.py        the record a compliance request leaves behind
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gream.recommend.folder import load_parts, save_recommender
    from gream.recommend.lists import Recommendation
    from gream.recommend.recommender import GreamRecommender
    from gream.recommend.sampling import SampledChain, SamplingConfig
    from gream.recommend.scenario import SCENARIOS, Scenario, scenario_of

_HOMES = {
    "load_parts": "folder",
    "save_recommender": "folder",
    "Recommendation": "lists",
    "GreamRecommender": "recommender",
    "SampledChain": "sampling",
    "SamplingConfig": "sampling",
    "SCENARIOS": "scenario",
    "Scenario": "scenario",
    "scenario_of": "scenario",
}

__all__ = [
    "SCENARIOS",
    "GreamRecommender",
    "Recommendation",
    "SampledChain",
    "SamplingConfig",
    "Scenario",
    "load_parts",
    "save_recommender",
    "scenario_of",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: `gream --help` needs the scenario table and not torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gream.recommend' has no attribute '{name}'")
    return getattr(import_module(f"gream.recommend.{_HOMES[name]}"), name)
