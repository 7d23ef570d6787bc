"""How do language models enrich recommenders? The home of LLMRec, GRASP and CoRec.

`generative/` is LLMRec: lists with grounded reasons, and a user who can answer back. `grasp/` holds the attention of
GRASP so far; `corec/` is not built yet.
"""
