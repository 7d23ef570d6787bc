"""How do mappings come out of a command line or a YAML file? As JSON text or as they are; both are checked here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from genrec.data.sources.tabular import INTERACTION_FIELDS, ITEM_FIELDS

OUR_COLUMNS = tuple(dict.fromkeys((*INTERACTION_FIELDS, *ITEM_FIELDS)))


def read_options(options: Any) -> dict[str, Any] | None:
    """A learner's own settings from a mapping or JSON text; None or an empty text = defaults.

    Raises:
        ValueError: it is no mapping; which names exist, the learner checks.
    """
    return _mapping(options, "code_options", '{"epochs": 50}')


def read_columns(columns: Any) -> dict[str, str] | None:
    """Check a column mapping.

    Args:
        columns: our column to the user's, as a mapping or as JSON text; None or an empty text = no mapping.

    Returns:
        The mapping, or None.

    Raises:
        ValueError: it is no mapping of texts, or a key is none of our columns.
    """
    example = '{"user_id": "customer"}'
    found = _mapping(columns, "columns", example)
    if found is None:
        return None
    if not all(isinstance(name, str) for name in [*found, *found.values()]):
        raise ValueError(f"columns is {columns!r}; write a mapping as JSON, e.g. '{example}'.")
    if unknown := [name for name in found if name not in OUR_COLUMNS]:
        raise ValueError(f"columns maps {', '.join(unknown)}, but can map only {', '.join(OUR_COLUMNS)}.")
    return found


def _mapping(given: Any, name: str, example: str) -> dict[Any, Any] | None:
    """A mapping from itself or from JSON text; None where nothing is given."""
    if given is None or given == "":
        return None
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except json.JSONDecodeError as error:
        found, given = None, f"{given} ({error})"
    if not isinstance(found, Mapping):
        raise ValueError(f"{name} is {given!r}; write a mapping as JSON, e.g. '{example}'.")
    return dict(found)
