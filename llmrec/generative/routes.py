"""How is LLMRec asked over HTTP? `POST /v1/chat/recommendations`, and a page to try it, as a FastAPI router.

The state travels with the request: any replica can answer any turn. The gateway finds `register` under the entry point
group `genrec.serving` and calls it once; it serves the folder that LLMREC_MODEL names, and nothing without it.
"""

from __future__ import annotations

import logging
import os
import threading
from importlib import resources
from typing import Any

from pydantic import BaseModel, Field

from genrec.data.errors import DataError
from llmrec.generative.feedback.state import ConversationState
from llmrec.generative.recommender import GenerativeRecommender

MAX_MESSAGE = 2000
MODEL, CHAT = "LLMREC_MODEL", "LLMREC_CHAT"
logger = logging.getLogger(__name__)


class ChatRequest(BaseModel):
    """A turn.

    Attributes:
        state: what the last answer carried; None begins a conversation.
        history: item ids, oldest first; only for a new conversation.
        interests: what the user likes, in words; only for a new conversation.
        message: feedback on the last list.
        k: items wanted.
    """

    state: dict[str, Any] | None = None
    history: list[str] = Field(default_factory=list, max_length=1000)
    interests: list[str] = Field(default_factory=list, max_length=20)
    message: str | None = Field(default=None, max_length=MAX_MESSAGE)
    k: int = Field(default=5, ge=1, le=50)


class ChatItem(BaseModel):
    """One listed item with its reason."""

    item_id: str
    title: str
    reason: str
    score: float


class ChatResponse(BaseModel):
    """The list, what had to be given up to find it, and the state for the next turn."""

    items: list[ChatItem]
    note: str
    state: dict[str, Any]


def create_router(recommender: GenerativeRecommender) -> Any:
    """Routes of one recommender, ready for `app.include_router`.

    Args:
        recommender: who answers.

    Returns:
        A `fastapi.APIRouter` with `POST /v1/chat/recommendations` and `GET /playground/chat`.
    """
    from fastapi import APIRouter, HTTPException
    from fastapi.responses import HTMLResponse

    router, turn = APIRouter(tags=["llmrec"]), threading.Lock()  # one turn at a time: models and caches are shared

    def chat(request: ChatRequest) -> ChatResponse:
        """Recommend, with a reason per item; feedback in plain words changes the next list."""
        try:
            state = _state(request)
            with turn:
                reply = recommender.respond(state, request.message, request.k)
        except (ValueError, DataError) as error:
            raise HTTPException(status_code=422, detail=str(error)) from error
        names = ("item_id", "title", "reason", "score")
        items = [ChatItem(**{name: getattr(row, name) for name in names}) for row in reply.items]
        return ChatResponse(items=items, note=reply.note, state=reply.state.to_json())

    def page() -> str:
        """A page for a conversation."""
        return (resources.files("llmrec.generative") / "chat.html").read_text(encoding="utf-8")

    router.add_api_route("/v1/chat/recommendations", chat, methods=["POST"], response_model=ChatResponse)
    router.add_api_route("/playground/chat", page, methods=["GET"], response_class=HTMLResponse)
    return router


def register(gateway: Any) -> None:
    """Add LLMRec's routes to the gateway: its door.

    Args:
        gateway: holds the FastAPI application as `app`.
    """
    folder = os.environ.get(MODEL)
    if not folder:
        logger.info("%s names no folder of recipes/llmrec_align.py; /v1/chat/recommendations is left out", MODEL)
        return
    from llmrec.generative.folder import open_recommender

    gateway.app.include_router(create_router(open_recommender(folder, os.environ.get(CHAT))))


def _state(request: ChatRequest) -> ConversationState:
    """The state of a request, or a new one from its history."""
    if request.state is not None:
        return ConversationState.from_json(request.state)
    return ConversationState.from_json({"history": request.history, "interests": request.interests})
