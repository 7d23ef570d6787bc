"""How is LLMRec asked over HTTP? `POST /v1/chat/recommendations`, and a page of the playground to try it.

The state travels with the request: any replica can answer any turn. The gateway finds `register` under the entry point
group `genrec.serving` and calls it once; it serves the folder that LLMREC_MODEL names, and nothing without it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from importlib import resources
from typing import Any

from pydantic import BaseModel, Field

from genrec.data.errors import DataError
from genrec.serving.admission import Lane
from genrec.serving.errors import ApiError
from genrec.serving.gateway import Gateway
from genrec.serving.schemas import refusals
from llmrec.generative.feedback.rules import MAX_MESSAGE
from llmrec.generative.feedback.state import ConversationState
from llmrec.generative.recommender import GenerativeRecommender

CHAT_SLOTS = 8  # turns that run or wait at once; the next gets 429
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


def add_chat(gateway: Gateway, recommender: GenerativeRecommender) -> None:
    """Add `POST /v1/chat/recommendations` and the page /playground/chat to a gateway.

    Args:
        gateway: its keys, limits and shape of errors hold here too.
        recommender: who answers, one turn at a time: models and caches are shared.
    """
    lane, turn = Lane("chat", CHAT_SLOTS), threading.Lock()
    gateway.lanes[lane.name] = lane

    def answer(request: ChatRequest) -> ChatResponse:
        state = _state(request)
        with turn:
            reply = recommender.respond(state, request.message, request.k)
        names = ("item_id", "title", "reason", "score")
        items = [ChatItem(**{name: getattr(row, name) for name in names}) for row in reply.items]
        return ChatResponse(items=items, note=reply.note, state=reply.state.to_json())

    async def chat(request: ChatRequest) -> ChatResponse:
        """Recommend, with a reason per item; feedback in plain words changes the next list."""
        try:
            with lane.slot():
                return await asyncio.to_thread(answer, request)
        except (ValueError, DataError) as error:
            raise ApiError(422, "invalid_conversation", str(error)) from error

    gateway.app.add_api_route(
        "/v1/chat/recommendations", chat, methods=["POST"], response_model=ChatResponse, tags=["llmrec"],
        responses=refusals(400, 413, 422, 429), summary="Recommend in a conversation",
    )  # fmt: skip
    page = (resources.files("llmrec.generative") / "chat.html").read_text(encoding="utf-8")
    gateway.add_page("/playground/chat", "Conversation", page)


def register(gateway: Gateway) -> None:
    """Add LLMRec's routes where LLMREC_MODEL names a folder: its door.

    Args:
        gateway: the one that is being built.

    Raises:
        ValueError: the folder holds no model.
    """
    folder = os.environ.get(MODEL)
    if not folder:
        logger.info("%s names no folder of recipes/llmrec_align.py; /v1/chat/recommendations is left out", MODEL)
        return
    from llmrec.generative.folder import open_recommender

    add_chat(gateway, open_recommender(folder, os.environ.get(CHAT)))


def _state(request: ChatRequest) -> ConversationState:
    """The state of a request, or a new one from its history."""
    if request.state is not None:
        return ConversationState.from_json(request.state)
    return ConversationState.from_json({"history": request.history, "interests": request.interests})
