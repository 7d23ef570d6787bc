"""Which items does a person or a filter mean? Search by words, lookup by id or title, masks over the catalogue."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue
from genrec.serving.errors import ApiError
from genrec.serving.schemas import Filters

CANDIDATES = 5
KEPT_MASKS = 64


class ItemIndex:
    """The catalogue as requests address it.

    Args:
        catalogue: The items.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._lower = pl.Series(catalogue.titles, dtype=pl.String).str.to_lowercase()
        self._exact: dict[str, list[int]] = {}
        for item, title in enumerate(self._lower.to_list()):
            self._exact.setdefault(title.strip(), []).append(item)
        self._masks: OrderedDict[str, NDArray[np.bool_]] = OrderedDict()

    def __len__(self) -> int:
        """Number of items."""
        return len(self.catalogue)

    def find(self, item_id: str) -> int | None:
        """Dense index of an id, None when there is no such item."""
        try:
            return int(self.catalogue.index_of(item_id))
        except ValueError:
            return None

    def search(self, query: str) -> list[int]:
        """Items whose titles hold every word of a query (or whose id it is), shortest titles first.

        Args:
            query: Words; case does not matter. An empty query finds everything.

        Returns:
            Dense items.
        """
        found = pl.repeat(True, len(self), eager=True)
        for word in query.lower().split():
            found &= self._lower.str.contains(word, literal=True)
        items = found.arg_true().to_list()
        if query.strip():
            items.sort(key=lambda item: (len(self.catalogue.titles[item]), item))
        by_id = self.find(query.strip())
        return items if by_id is None else [by_id, *(item for item in items if item != by_id)]

    def resolve(self, entry: str | int, param: str) -> int:
        """The one item that an entry of a request names.

        Args:
            entry: Id, whole title, or a part of exactly one title.
            param: Place in the request, for the error.

        Returns:
            Dense item.

        Raises:
            ApiError: 422 `unknown_item` or `ambiguous_item`, the latter with candidates.
        """
        text = str(entry).strip()
        by_id = self.find(text)
        if by_id is not None:
            return by_id
        found = self._exact.get(text.lower()) or (self._containing(text) if text and isinstance(entry, str) else [])
        if len(found) == 1:
            return found[0]
        if not found:
            raise ApiError(422, "unknown_item", f"{param}: there is no item with this id or title", param)
        shown = [{"id": self.catalogue.item_ids[i], "title": self.catalogue.titles[i]} for i in found[:CANDIDATES]]
        message = f"{param}: {len(found)} items have such a title; use an id, for instance {shown[0]['id']!r}"
        raise ApiError(422, "ambiguous_item", message, param, details={"found": len(found), "candidates": shown})

    def _containing(self, text: str) -> list[int]:
        return self._lower.str.contains(text.lower(), literal=True).arg_true().to_list()

    def record(self, item: int) -> dict[str, Any]:
        """What GET /v1/items/{id} shows of an item."""
        return {
            "id": self.catalogue.item_ids[item],
            "title": self.catalogue.titles[item],
            "description": self.catalogue.frame["description"][item],
            "attributes": self.catalogue.attributes(item),
        }

    def mask(self, filters: Filters) -> tuple[NDArray[np.bool_] | None, str]:
        """The sub-catalogue of a request.

        Args:
            filters: Categories, brands, price, stock; what it excludes one by one is not looked at.

        Returns:
            (num_items,) True where an item may be listed, or None for the whole catalogue; and a key, the same for
            the same sub-catalogue.

        Raises:
            ApiError: 422 `filter_unavailable` when the catalogue knows nothing of the kind.
        """
        wanted = filters.model_dump(exclude={"exclude", "exclude_history"}, exclude_defaults=True)
        if not wanted:
            return None, ""
        key = repr(sorted(wanted.items()))
        if key not in self._masks:
            self._masks[key] = self._build(filters)
            if len(self._masks) > KEPT_MASKS:
                self._masks.popitem(last=False)
        self._masks.move_to_end(key)
        return self._masks[key], key

    def _build(self, filters: Filters) -> NDArray[np.bool_]:
        allowed = pl.repeat(True, len(self), eager=True)
        if filters.categories:
            lists = self._column("categories")
            allowed &= lists.list.eval(pl.element().is_in(filters.categories)).list.any().fill_null(False)
        if filters.brands:
            allowed &= self._column("brand").is_in(filters.brands).fill_null(False)
        if filters.min_price is not None or filters.max_price is not None:
            price = self._column("price").cast(pl.Float64, strict=False)
            allowed &= (price >= (filters.min_price or 0.0)).fill_null(False)
            allowed &= (price <= (np.inf if filters.max_price is None else filters.max_price)).fill_null(False)
        if filters.in_stock is not None:
            stock = self._column("in_stock").cast(pl.Int8, strict=False)
            allowed &= (stock == int(filters.in_stock)).fill_null(False)
        return allowed.to_numpy().astype(bool)

    def _column(self, name: str) -> pl.Series:
        frame = self.catalogue.frame
        if name not in frame.columns or frame[name].null_count() == len(frame):
            raise ApiError(422, "filter_unavailable", f"this catalogue knows no {name} of its items", f"filters.{name}")
        return frame[name]
