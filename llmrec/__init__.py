"""How do language models enrich recommenders? The home of LLMRec, GRASP and CoRec.

`grasp/` reads descriptions, `corec/` contrasts and completes histories; both wrap any backbone of
`genrec.backbones` (`enriched.py`). The room `generative/` (LLMRec) is not built yet.
"""
