"""LLMRec: recommendations with grounded reasons, and a user who can answer back.

alignment/   user and item vectors in one space: InfoNCE heads over text vectors, retrieval
writing/     a list with a reason per item: rules, a prompted or a fine-tuned language model; the grounding checker
feedback/    what a user's words ask for, and how the next list follows them; explicit state
metrics/     text quality, reason accuracy, gain after feedback, rating sheet
"""
