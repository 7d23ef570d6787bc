"""How does a job run? Limits, budget, retries and the loop that asks; nothing here knows what is written."""
