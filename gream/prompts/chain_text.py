"""How does a chain read inside the think block? One labelled line per stage, in order."""

from __future__ import annotations

from collections.abc import Mapping

from genrec.data.chains import Chain
from gream.prompts.config import PromptConfig
from gream.prompts.pieces import ItemPieces
from gream.prompts.text import names_title


def chain_text(chain: Chain, pieces: ItemPieces, config: PromptConfig, labels: Mapping[int, str]) -> str:
    """Write the wanted stages of a chain.

    Args:
        chain: texts of stages 1-4, item ids of the target and of the denoised history.
        pieces: SIDs and escape.
        config: which stages, and how many rewritten items.
        labels: stage number -> label that opens its line.

    Returns:
        Lines joined by line breaks. Stage 4 names the target by its title, stage 5 is the latest denoised
        items' SIDs followed by the target's.

    Source: METHODS 1.3; the layout inside a stage is ours, because the paper fixes only the order.
    """
    target = pieces.catalogue.index_of(chain.target)
    texts = {
        1: pieces.escape(chain.behaviour),
        2: pieces.escape(chain.preferences),
        3: pieces.escape(chain.intent),
        4: _named(pieces.escape(chain.recommendation), pieces.title(target), pieces),
        5: _rewritten(chain, target, pieces, config.rewritten_items),
    }
    return "\n".join(f"{labels[stage]} {texts[stage]}" for stage in config.think_stages)


def _named(text: str, title: str, pieces: ItemPieces) -> str:
    """Put the title before a recommendation that does not hold it."""
    return text if names_title(text, title) else pieces.escape(f"{title}: {text}")


def _rewritten(chain: Chain, target: int, pieces: ItemPieces, most: int) -> str:
    """Write the SIDs of the latest `most` denoised items, then the target's."""
    kept = chain.denoised[max(0, len(chain.denoised) - most) :]
    return "".join(pieces.sid(pieces.catalogue.index_of(item)) for item in kept) + pieces.sid(target)
