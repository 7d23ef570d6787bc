"""How does a language model recommend in its own vocabulary? The home of SAGE.

It will hold native-vocabulary items, the adaptive gradient, sequence-level diversity and sequence-level
reinforcement learning. None of it is built yet: this package is empty.
"""
