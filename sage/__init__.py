"""How does a language model recommend in its own vocabulary? The home of SAGE.

`items`: native-vocabulary names and their trie. `gradient`: history-length weights in supervised training. Not built
yet: sequence-level diversity, cold-start splits, reinforcement learning, recipes.
"""
