"""How is an item written in the language model's own words? Native vocabulary: names, their tokens, their trie."""
