"""How does a language model answer only with items that exist? Tries, beam search, logits processors."""
