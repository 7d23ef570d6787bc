"""How do language models enrich recommenders? The home of LLMRec, GRASP and CoRec.

`generative/` is LLMRec: lists with grounded reasons, and a user who can answer back. `grasp/` reads descriptions,
`corec/` contrasts and completes histories; both wrap any backbone of `genrec.backbones` (`enriched.py`).
"""
