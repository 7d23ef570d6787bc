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
    if options is None or options == "":
        return None
    try:
        found = json.loads(options) if isinstance(options, str) else options
    except json.JSONDecodeError as error:
        found, options = None, f"{options} ({error})"
    if not isinstance(found, Mapping):
        raise ValueError(f"""code_options is {options!r}; write a mapping as JSON, e.g. '{{"epochs": 50}}'.""")
    return dict(found)


def read_columns(columns: Any) -> dict[str, str] | None:
    """Check a column mapping.

    Args:
        columns: our column to the user's, as a mapping or as JSON text; None or an empty text = no mapping.

    Returns:
        The mapping, or None.

    Raises:
        ValueError: it is no mapping of texts, or a key is none of our columns.
    """
    if columns is None or columns == "":
        return None
    try:
        found = json.loads(columns) if isinstance(columns, str) else columns
    except json.JSONDecodeError as error:
        found, columns = None, f"{columns} ({error})"
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in [*found, *found.values()]):
        raise ValueError(f"""columns is {columns!r}; write it as JSON, e.g. '{{"user_id": "customer"}}'.""")
    if unknown := [name for name in found if name not in OUR_COLUMNS]:
        raise ValueError(f"columns maps {', '.join(unknown)}, but can map only {', '.join(OUR_COLUMNS)}.")
    return dict(found)
