"""How does a language model recommend in its own vocabulary? The home of SAGE.

items/       names in the tokenizer's own tokens, packed rows, the vocabularies that are compared
gradient/    weights by history length, exact over batches and processes
diversity/   mutual information of lists (training), MMR and DPP (on request)
sft/ rl/     the two trainers; `advantage` and `loss` hold the mathematics of the second
cold/        scenes of new users and items, with their figures
baselines/   recommenders from contents alone
recommend    lists, new items (fresh), the folder; stages/ is the work of the recipes
"""
