"""What did the caller mean? History and k as users write them, checked before the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genrec.data.catalogue import Catalogue


def resolve_history(history: Sequence[str | int], catalogue: Catalogue) -> list[int]:
    """Turn a history of item ids or dense indices into dense indices.

    Args:
        history: Item ids (str) or dense indices (int), oldest first; the two may be mixed.
        catalogue: Where the ids are looked up.

    Returns:
        Dense indices, oldest first.

    Raises:
        ValueError: The history is empty, is a bare string, or names an item that the catalogue does not hold.
    """
    if isinstance(history, str):
        raise ValueError(f"history is the string {history!r}; pass a list of item ids, e.g. [{history!r}]")
    if len(history) == 0:
        raise ValueError(
            "the history is empty; GREAM continues a history, so pass at least one item id "
            "(a popularity list serves users without one)"
        )
    return [_dense(entry, place, catalogue) for place, entry in enumerate(history)]


def _dense(entry: str | int, place: int, catalogue: Catalogue) -> int:
    if isinstance(entry, str):
        try:
            return int(catalogue.index_of(entry))
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"history[{place}]: the catalogue of this model holds no item '{entry}'; "
                "use an id from its catalogue.jsonl.gz, or assign the new item a code first"
            ) from error
    if isinstance(entry, bool) or not 0 <= int(entry) < len(catalogue):
        raise ValueError(f"history[{place}]: item index {entry} is outside 0 .. {len(catalogue) - 1}")
    return int(entry)


def check_k(k: int, num_items: int, excluded: int = 0) -> None:
    """Refuse a list length that the catalogue cannot fill.

    Args:
        k: Length of the list.
        num_items: Items in the catalogue.
        excluded: Items that may not be listed.

    Raises:
        ValueError: k is below 1 or above what is left.
    """
    left = num_items - excluded
    if k < 1:
        raise ValueError(f"k={k}: ask for at least one item")
    if k > left:
        without = f" once {excluded} items of the history are excluded" if excluded else ""
        raise ValueError(f"k={k} is more than the {left} items of the catalogue{without}; ask for at most {left}")


def find_item(words: str, catalogue: Catalogue) -> str:
    """Find one item by id or by title, as a person types it.

    Args:
        words: An item id, a whole title, or a part of exactly one title; case does not matter for titles.
        catalogue: Where to look.

    Returns:
        The item id.

    Raises:
        ValueError: Nothing or more than one item matches; the message lists up to five candidates.
    """
    if words in set(catalogue.item_ids):
        return words
    wanted = words.strip().casefold()
    titles = [title.casefold() for title in catalogue.titles]
    found = [i for i, title in enumerate(titles) if title == wanted]
    found = found or [i for i, title in enumerate(titles) if wanted and wanted in title]
    if len(found) == 1:
        return str(catalogue.item_ids[found[0]])
    if not found:
        raise ValueError(f"no item has the id or a title containing '{words}'; try fewer words of its title")
    shown = "; ".join(f"{catalogue.item_ids[i]} = {catalogue.titles[i]}" for i in found[:5])
    raise ValueError(f"'{words}' matches {len(found)} items; use an id. The first: {shown}")
