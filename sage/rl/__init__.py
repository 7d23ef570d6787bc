"""How is the generator rewarded for hits, variety and the cold at once? Sequence-level RL on the GRPO seam."""
