"""What can be learnt without any download? A generated shop whose buyers have latent tastes.

Each department sells a kit in five steps (tent, sleeping bag, stove, ...) made by four brands. A buyer
prefers two departments and, in each, one brand; having bought one step of a kit the next step of the same
brand follows with probability `follow`, so the last item predicts the next one, and tastes predict the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from genrec.data.raw import RawData, Request

DEPARTMENTS: dict[str, list[str]] = {
    "Camping": ["Tent", "Sleeping Bag", "Camp Stove", "Lantern", "Water Filter"],
    "Coffee": ["Espresso Machine", "Burr Grinder", "Milk Frother", "Knock Box", "Descaler"],
    "Nail Care": ["Base Coat", "Nail Polish", "Top Coat", "Cuticle Oil", "Polish Remover"],
    "Guitar": ["Acoustic Guitar", "Clip-On Tuner", "String Set", "Guitar Strap", "Gig Bag"],
    "Cycling": ["Road Bike", "Helmet", "Bike Lock", "Floor Pump", "Chain Oil"],
    "Painting": ["Easel", "Canvas Pack", "Oil Paint Set", "Brush Set", "Varnish"],
}
BRANDS: dict[str, list[str]] = {
    "Camping": ["Northfell", "Tarnwood", "Pinehollow", "Greycairn"],
    "Coffee": ["Bellmore", "Rosterra", "Nerovio", "Copperlane"],
    "Nail Care": ["Lumielle", "Petalin", "Velvane", "Coralyn"],
    "Guitar": ["Hartwood", "Fretline", "Oakcroft", "Silvertone Bay"],
    "Cycling": ["Velomark", "Spokewell", "Radfield", "Kestrel Run"],
    "Painting": ["Atelier Nord", "Ochreline", "Sienna Works", "Palettine"],
}
STYLES = ["Classic", "Compact", "Premium", "Everyday", "Travel", "Studio"]
FEATURES = [
    "light to carry",
    "made to last",
    "easy to clean",
    "quiet in use",
    "kind to beginners",
    "finished by hand",
]
LATENT = ("step", "department")  # what the generator knows about an item and the catalogue does not show
START = 1_700_000_000  # unix seconds of the shop's first day
DAY = 86_400


def read(request: Request) -> RawData:
    """Generate the shop.

    Args:
        request: Options num_users (200), num_items (120), seed (0), follow (0.75: chance that the next step
            of a kit follows), min_length (5) and max_length (20) of a history.

    Returns:
        The raw data; the same options give the same rows.

    Raises:
        ValueError: If an option is unknown or out of range.
    """
    options = {
        "num_users": 200,
        "num_items": 120,
        "seed": 0,
        "follow": 0.75,
        "min_length": 5,
        "max_length": 20,
    }
    if unknown := set(request.options) - set(options):
        raise ValueError(f"unknown toy options {sorted(unknown)}; use {sorted(options)}")
    options |= request.options
    _check(options)
    items = _items(int(options["num_items"]), np.random.default_rng([int(options["seed"]), 0]))
    rows = _interactions(items, options, np.random.default_rng([int(options["seed"]), 1]))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return RawData(
        name="toy",
        interactions=frame.with_row_index("line", offset=1),
        items=lambda kept: [{k: v for k, v in i.items() if k not in LATENT} for i in items if i["item_id"] in kept],
        info={"source": "toy", **options},
    )


def _check(options: dict[str, Any]) -> None:
    """Refuse sizes that cannot be generated."""
    if not 1 <= options["min_length"] <= options["max_length"] <= options["num_items"]:
        raise ValueError(f"need 1 <= min_length <= max_length <= num_items, got {options}")
    if options["num_users"] < 1 or not 0 <= options["follow"] <= 1:
        raise ValueError(f"need num_users >= 1 and follow between 0 and 1, got {options}")


def _items(num_items: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Make the catalogue: departments take turns, each product line runs through the five steps of a kit."""
    items: list[dict[str, Any]] = []
    names = list(DEPARTMENTS)
    for number in range(num_items):
        line, step = divmod(number, 5)
        department = names[line % len(names)]
        edition, brand_at = divmod(line // len(names), 4)
        brand, kind = BRANDS[department][brand_at], DEPARTMENTS[department][step]
        style = STYLES[int(rng.integers(len(STYLES)))]
        first, second = rng.choice(FEATURES, size=2, replace=False).tolist()
        model = f" {edition + 1}" if edition else ""
        items.append(
            {
                "item_id": f"T{number:04d}",
                "title": f"{brand} {style} {kind}{model}",
                "description": f"{_article(kind)} {kind.lower()} by {brand}, {first} and {second}.",
                "brand": brand,
                "categories": ["Shop", department, kind],
                "step": step,
                "department": department,
            }
        )
    return items


def _article(noun: str) -> str:
    return "An" if noun[0] in "AEIOU" else "A"


def _interactions(
    items: list[dict[str, Any]], options: dict[str, Any], rng: np.random.Generator
) -> list[tuple[str, str, int]]:
    """Let every buyer shop: (user_id, item_id, unix seconds) in buying order."""
    rows = []
    for user in range(int(options["num_users"])):
        weights = _taste(items, rng)
        time = START + int(rng.integers(180 * DAY))
        for item in _walk(weights, items, options, rng):
            rows.append((f"U{user:04d}", str(items[item]["item_id"]), time))
            time += int(rng.integers(1, 10 * DAY))
    return rows


def _taste(items: list[dict[str, Any]], rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probability of each item for one buyer, shape (num_items,): two loved departments, a brand in each."""
    loved = rng.choice(list(DEPARTMENTS), size=2, replace=False, p=[0.28, 0.22, 0.18, 0.14, 0.1, 0.08]).tolist()
    brands = [BRANDS[department][int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1]))] for department in loved]
    weights = np.array([0.02 + (i["department"] in loved) * 0.2 + (i["brand"] in brands) * 2.0 for i in items])
    return np.asarray(weights / weights.sum())


def _walk(
    weights: np.ndarray[Any, np.dtype[np.float64]],
    items: list[dict[str, Any]],
    options: dict[str, Any],
    rng: np.random.Generator,
) -> list[int]:
    """Buy without repetition: the next step of the kit, else by taste."""
    length = int(rng.integers(options["min_length"], options["max_length"] + 1))
    left = weights.copy()
    bought: list[int] = []
    while len(bought) < length:
        follower = bought[-1] + 1 if bought else len(items)
        fits = follower < len(items) and items[follower]["step"] > 0 and left[follower] > 0
        if fits and rng.random() < options["follow"]:
            item = follower
        else:
            item = int(rng.choice(len(items), p=left / left.sum()))
        left[item] = 0.0
        bought.append(item)
    return bought
