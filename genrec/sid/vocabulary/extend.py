"""How do SID tokens enter a tokenizer?

As ordinary added tokens: special ones would vanish from TRL's decoded completions
(`skip_special_tokens=True`) before a reward sees them. `normalized=False` matches them on the raw text, so
that a combining character behind one (`<a_1>` + U+0338, which NFC would compose with `>`) cannot dissolve it.
"""

from __future__ import annotations

from typing import Any

from genrec.sid.vocabulary.tokens import SidVocabulary

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""Tags of a reasoning completion; added together when a tokenizer has no `<think>` of its own."""


def extend_tokenizer(tokenizer: Any, vocabulary: SidVocabulary) -> int:
    """Add the SID tokens, and the four tags when the tokenizer lacks `<think>`. Idempotent.

    Args:
        tokenizer: any Hugging Face tokenizer; changed in place.
        vocabulary: tokens to add.

    Returns:
        How many tokens were added (0 when all were there).
    """
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    tags = [] if TAGS[0] in known else list(TAGS)
    new = [token for token in [*tags, *vocabulary.tokens()] if token not in known]
    return int(tokenizer.add_tokens([AddedToken(token, normalized=False, special=False) for token in new]))


def added_ids(tokenizer: Any, vocabulary: SidVocabulary) -> list[int]:
    """Ids whose embedding rows are new: all SID tokens, and the tags where `extend_tokenizer` added them.

    A tokenizer that came with `<think>` never gets `<answer>`, which tells the two cases apart.
    """
    known = tokenizer.get_added_vocab()
    tags = [known[tag] for tag in TAGS] if all(tag in known for tag in TAGS) else []
    return sorted([*tags, *vocabulary.bind(tokenizer).all_ids().tolist()])
