"""How do language models enrich recommenders? The home of LLMRec, GRASP and CoRec.

Its rooms will be `generative/` (LLMRec), `grasp/` and `corec/`. None is built yet: this package is empty.
"""
