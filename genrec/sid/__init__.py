"""Semantic IDs: how an item becomes a short tuple of codes, and how a tokenizer learns to spell it."""
