"""What does GREAM offer from the top? The recommender and its results, loaded when first used.

`import gream` stays light: torch and transformers are imported by the first attribute that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gream.recommend import GreamRecommender, Recommendation, save_recommender

__all__ = ["GreamRecommender", "Recommendation", "save_recommender"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Args:
        name: One of `__all__`.

    Returns:
        The object of that name in `gream.recommend`.

    Raises:
        AttributeError: The name is not public.
    """
    if name not in __all__:
        raise AttributeError(f"module 'gream' has no attribute '{name}'; it offers {', '.join(__all__)}")
    from gream import recommend

    return getattr(recommend, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
