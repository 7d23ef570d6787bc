"""What can be recommended? Items by id and by words, and new ones."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from genrec.serving.errors import ApiError
from genrec.serving.gateway import Gateway, gateway_of
from genrec.serving.schemas import Item, ItemPage, ItemsInserted, NewItem, NewItems, refusals

router = APIRouter(tags=["items"])


@router.get(
    "/v1/items", response_model=ItemPage, responses=refusals(422), summary="Search items by words of their titles"
)
async def search_items(
    gateway: Annotated[Gateway, Depends(gateway_of)],
    query: Annotated[str, Query(max_length=200, examples=["nail polish"])] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> dict[str, Any]:
    """Items whose titles hold every word, shortest titles first; an empty query pages through the catalogue."""
    found = gateway.items.search(query)
    return {"items": [gateway.items.record(item) for item in found[offset : offset + limit]], "total": len(found)}


@router.get("/v1/items/{item_id}", response_model=Item, responses=refusals(404, 422), summary="One item")
async def one_item(
    item_id: Annotated[str, Path(max_length=128, examples=["7"])], gateway: Annotated[Gateway, Depends(gateway_of)]
) -> dict[str, Any]:
    """An item by its id."""
    item = gateway.items.find(item_id)
    if item is None:
        raise ApiError(404, "unknown_item", "there is no item with this id", "item_id")
    return gateway.items.record(item)


@router.post(
    "/v1/items",
    response_model=ItemsInserted,
    status_code=201,
    responses=refusals(400, 403, 408, 413, 422),
    summary="Insert new items without a restart",
)
async def insert_items(body: NewItems, gateway: Annotated[Gateway, Depends(gateway_of)]) -> dict[str, Any]:
    """New items get semantic IDs from the frozen codebooks; known ones keep theirs. All of them are taken, or none."""
    ids = [item.id for item in body.items]
    if len(set(ids)) < len(ids):
        raise ApiError(422, "item_exists", "items: an id stands there twice", "items")
    await gateway.growth.insert([_record(item) for item in body.items])
    facts = dict(gateway.engine.facts)
    return {"inserted": len(ids), "num_items": len(gateway.items), "model": facts}


def _record(item: NewItem) -> dict[str, Any]:
    """A catalogue record."""
    facts = item.model_dump(exclude={"id", "in_stock"}, exclude_none=True)
    stock = {} if item.in_stock is None else {"in_stock": int(item.in_stock)}
    return {"item_id": item.id, **facts, **stock}
