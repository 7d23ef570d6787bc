"""How does a language model recommend in its own vocabulary? The home of SAGE.

`items`: native-vocabulary names and their trie. `gradient`: history-length weights in supervised training. `cold`:
scenes of new users and items, with their figures. Not built yet: sequence-level diversity, reinforcement learning,
recipes.
"""
