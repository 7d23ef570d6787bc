"""How does a trained recommender take items that it never saw? Codes in the frozen codebooks, the same weights."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from genrec.data.catalogue import Catalogue
from genrec.llm.encoders import TextEncoder
from gream.indexing import ItemIndex, add_items
from gream.recommend import GreamRecommender


def grow(
    recommender: GreamRecommender, index: ItemIndex, new: Catalogue, encoder: str | TextEncoder
) -> tuple[GreamRecommender, ItemIndex]:
    """Make a recommender that knows new items too; the present one stays as it is.

    Args:
        recommender: The present one.
        index: Its index, with codebooks and vectors.
        new: The items; they follow the known ones, so these keep their numbers.
        encoder: The text encoder of the index, as spec or object.

    Returns:
        The recommender and its index.

    Raises:
        ValueError: The index takes no items, has no free code for them, or belongs to another checkpoint; an item that
            is known already.
    """
    if index.item_codes.hash != recommender.item_codes.hash:
        raise ValueError(
            f"the index has the hash {index.item_codes.hash:.12}, the checkpoint {recommender.item_codes.hash:.12}; "
            "give the index folder of its run"
        )
    old = recommender.catalogue
    catalogue = Catalogue(pl.concat([old.frame, new.frame], how="diagonal_relaxed").drop("item_index"))
    texts = [catalogue.text(item) for item in range(len(old), len(catalogue))]
    longer = add_items(index, texts, encoder)
    parts = replace(recommender.parts, item_codes=longer.item_codes, catalogue=catalogue)
    return GreamRecommender(parts), longer
