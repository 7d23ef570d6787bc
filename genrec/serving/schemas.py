"""What do requests and answers look like? The bodies of the gateway's own routes, with examples for the API page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Entry = Text | Annotated[int, Field(ge=0, le=2**53)]


class Strict(BaseModel):
    """A body in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Filters(Strict):
    """Which items may be listed; a mask over the catalogue, nothing is rebuilt."""

    categories: list[Text] = Field([], max_length=20, description="Keep items in any of these categories.")
    brands: list[Text] = Field([], max_length=20, description="Keep items of any of these brands.")
    min_price: float | None = Field(None, ge=0, description="Keep items with a known price of at least this.")
    max_price: float | None = Field(None, ge=0, description="Keep items with a known price of at most this.")
    in_stock: bool | None = Field(None, description="Keep items whose catalogue entry says so.")
    exclude_history: bool = Field(False, description="Never list an item of the history (already bought).")
    exclude: list[Entry] = Field([], max_length=500, description="Item ids that must not be listed.")


RECOMMEND_EXAMPLE: dict[str, Any] = {
    "history": ["12", "OPI Red Shatter Crackle Nail Polish E55 New"],
    "mode": "reasoning",
    "k": 5,
    "filters": {"exclude_history": True},
}


class RecommendRequest(Strict):
    """A history and what is wanted."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [RECOMMEND_EXAMPLE]})

    history: list[Entry] = Field(
        description="Item ids or titles, oldest first; part of a title will do when it names one item."
    )
    mode: str | None = Field(
        None, max_length=40, description="direct, reasoning or mixed; direct when nothing else decides."
    )
    scenario: str | None = Field(None, max_length=40, description="Name of a page; takes the mode that the page uses.")
    k: int = Field(10, description="Items wanted.")
    m: int = Field(3, ge=0, description="Mixed mode: how many of them come from reasoning.")
    filters: Filters = Field(default_factory=Filters)  # type: ignore[arg-type]
    diversity: float = Field(0.0, ge=0, le=1, description="0 ranks by score; 1 by unlikeness alone.")
    num_samples: int = Field(1, ge=1, description="Chains; 1 is the greedy chain with a beam behind it, more vote.")
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the chains.")
    audit: bool = Field(False, description="Keep chain, items, model and index hash under the request id.")
    stream: bool = Field(False, description="Server-sent events: chain as it is written, then the answer.")
    user_id: Identifier | None = Field(None, description="Decides the experiment arm; stored as a hash only.")


class RankedItem(BaseModel):
    """One item of a list."""

    id: str
    title: str
    sid: str = Field(description="Semantic ID.")
    score: float = Field(description="Log-probability of the semantic ID, nats.")
    reason: str = Field(description="Why; empty where no chain led to the item.")
    source: str = Field(description="beam, votes or chain_beam.")
    votes: int


class Chain(BaseModel):
    """The chain behind the first reasoned item."""

    text: str
    stages: dict[str, str]


class RecommendAnswer(BaseModel):
    """A ranked list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "req-5f0c", "mode": "direct", "chain": None, "arm": None, "audited": False,
                    "items": [{"id": "7", "title": "Nail file", "sid": "<a_1><b_2>", "score": -2.31, "reason": "",
                               "source": "beam", "votes": 0}],
                    "timing": {"total_ms": 31.5, "beam_ms": 27.0}, "tokens": 0,
                    "model": {"model": "tiny_beauty/srpo", "index_hash": "8e415f7d"},
                }
            ]
        }
    )  # fmt: skip

    id: str
    mode: str
    items: list[RankedItem]
    chain: Chain | None
    timing: dict[str, float] = Field(description="Milliseconds by phase.")
    tokens: int = Field(description="Tokens that were generated.")
    model: dict[str, Any]
    arm: str | None
    audited: bool


class Item(BaseModel):
    """An item of the catalogue."""

    id: str
    title: str
    description: str | None = None
    attributes: dict[str, list[str]] = {}


class ItemPage(BaseModel):
    """Items that a query found."""

    items: list[Item]
    total: int


class NewItem(Strict):
    """An item that the catalogue does not hold yet."""

    id: Identifier
    title: Text
    description: Annotated[str, StringConstraints(max_length=4000)] | None = None
    brand: Text | None = None
    categories: list[Text] = Field([], max_length=20)
    price: float | None = Field(None, ge=0)
    in_stock: bool | None = None


class NewItems(Strict):
    """Items to insert."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"items": [{"id": "n1", "title": "Silver nail polish"}]}]}
    )

    items: list[NewItem] = Field(min_length=1, max_length=100)


class ItemsInserted(BaseModel):
    """Said when requests see the new items."""

    inserted: int
    num_items: int
    model: dict[str, Any] = Field(description="As in answers; the index hash is that of the longer index.")


Action = Literal["view", "click", "cart", "purchase", "dismiss", "like", "dislike"]


class Feedback(Strict):
    """What a person did with a list."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"request_id": "req-5f0c", "user_id": "u1", "item_id": "7", "action": "click"}]
        },
    )

    request_id: Identifier = Field(description="`id` of the answer.")
    user_id: Identifier = Field(description="Decides the arm; stored as a hash only.")
    action: Action
    item_id: Identifier | None = Field(None, description="Item it is about; none for the whole list (view).")
    position: int | None = Field(None, ge=1, le=10_000)
    key: Identifier | None = Field(None, description="The same key is stored once: safe to send again.")


class FeedbackStored(BaseModel):
    """Said after the record is on disk."""

    key: str
    arm: str
    duplicate: bool


class ErrorFacts(BaseModel):
    """Why a request was refused."""

    message: str
    type: str
    code: str
    param: str | None
    request_id: str
    details: dict[str, Any] | None = None


class ErrorBody(BaseModel):
    """Body of every refusal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"error": {"message": "history.1: there is no item with this id or title", "param": "history.1",
                           "type": "invalid_request_error", "code": "unknown_item", "request_id": "req-5f0c"}}
            ]
        }
    )  # fmt: skip

    error: ErrorFacts


_WHY = {
    400: "The body is not JSON.",
    401: "The API key is missing or wrong.",
    403: "This server does not do that.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    413: "The body is too long.",
    422: "The request asks for something that cannot be; `code` says what.",
    429: "Overloaded; `Retry-After` says when to come back.",
    503: "Not ready, draining, or the model server failed; `Retry-After` says when to come back.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may refuse with these statuses, 401 and 503 included."""
    return {status: {"model": ErrorBody, "description": _WHY[status]} for status in sorted({*statuses, 401, 503})}
