"""A catalogue of eight items with brands, categories, prices and years, and heads over hashed texts."""

from __future__ import annotations

from typing import Any

from genrec.data.catalogue import Catalogue
from genrec.llm.hash_encoder import HashEncoder
from llmrec.generative.alignment.heads import AlignmentHeads, HeadsConfig
from llmrec.generative.recommender import GenerativeRecommender
from llmrec.generative.records import Records

ROWS: list[dict[str, Any]] = [
    {
        "item_id": "a1",
        "title": "Northfell Tent",
        "brand": "Northfell",
        "categories": ["Camping"],
        "price": "120",
        "year": 2001,
    },
    {
        "item_id": "a2",
        "title": "Tarnwood Tent",
        "brand": "Tarnwood",
        "categories": ["Camping"],
        "price": "80",
        "year": 1987,
    },
    {
        "item_id": "a3",
        "title": "Northfell Camp Stove",
        "brand": "Northfell",
        "categories": ["Camping"],
        "price": "18.50",
    },
    {
        "item_id": "b1",
        "title": "Bellmore Burr Grinder",
        "brand": "Bellmore",
        "categories": ["Coffee"],
        "price": "$1,045.00",
    },
    {"item_id": "b2", "title": "Rosterra Milk Frother", "brand": "Rosterra", "categories": ["Coffee"], "price": "15"},
    {"item_id": "b3", "title": "Bellmore Knock Box", "brand": "Bellmore", "categories": ["Coffee"]},
    {"item_id": "c1", "title": "Hartwood Guitar Strap", "brand": "Hartwood", "categories": ["Guitar"], "year": 1984},
    {
        "item_id": "c2",
        "title": "Fretline Gig Bag",
        "brand": "Fretline",
        "categories": ["Guitar"],
        "description": "A long life.",
    },
]


def shop_catalogue() -> Catalogue:
    return Catalogue.from_records(ROWS)


def shop_records() -> Records:
    return Records(shop_catalogue())


def shop_recommender(**options: Any) -> GenerativeRecommender:
    catalogue, encoder = shop_catalogue(), HashEncoder()
    heads = AlignmentHeads(encoder.encode(catalogue.texts()), HeadsConfig(width=8, hidden=16, features="text"))
    return GenerativeRecommender(heads.eval(), catalogue, encoder, **options)


class Talker:
    """A chat model that says what it was told to say."""

    added_tokens: tuple[str, ...] = ()
    name = "talker"

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []

    def complete(self, messages: Any, schema: Any = None) -> str:
        self.asked.append(messages)
        return self.answers.pop(0)
