"""How do new items enter a running gateway? Another engine takes over; the old one answers what it has begun."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genrec.serving.door import Engine, Grower
from genrec.serving.errors import ApiError
from genrec.serving.items import ItemIndex

if TYPE_CHECKING:
    from genrec.serving.gateway import Gateway

logger = logging.getLogger(__name__)


class Growth:
    """Inserts items, one call after the other.

    Args:
        gateway: Whose engine and items are exchanged.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._lock = gateway, asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    async def insert(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Put new items into the catalogue; requests under way keep the engine that they began with.

        Args:
            records: One mapping per item, see `Grower.with_items`.

        Raises:
            ApiError: This server takes no items, one of them exists, or they cannot be placed.
        """
        async with self._lock:
            old = self._gateway.engine
            if not (isinstance(old, Grower) and old.takes_items):
                raise ApiError(403, "inserts_disabled", "this server takes no new items (gream serve --index)")
            self._check_new(records)
            try:
                grown = await asyncio.to_thread(old.with_items, records)
            except ValueError as error:
                raise ApiError(422, "cannot_insert", str(error), "items") from error
            items = await asyncio.to_thread(ItemIndex, grown.catalogue)
            await grown.start()
            self._gateway.engine, self._gateway.items = grown, items
            self._let_go(old)
        logger.info("%d items inserted; the gateway answers for %d", len(records), len(items))

    async def close(self) -> None:
        """Close what was exchanged, without waiting any longer."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)

    def _check_new(self, records: Sequence[Mapping[str, Any]]) -> None:
        for place, record in enumerate(records):
            if self._gateway.items.find(record["item_id"]) is not None:
                name = f"items.{place}"
                raise ApiError(422, "item_exists", f"{name}: there is an item with this id", name)

    def _let_go(self, engine: Engine) -> None:
        task = asyncio.ensure_future(_retire(engine, self._gateway.config.request_seconds + 1))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


async def _retire(engine: Engine, seconds: float) -> None:
    """Close an engine once no request can be waiting for it."""
    try:
        await asyncio.sleep(seconds)
    finally:
        await engine.close()
