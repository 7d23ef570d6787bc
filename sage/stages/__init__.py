"""What do the recipes of SAGE do? Data, model, validation, judging and reports of the stages sft and rl.

runs/<name>/
  sft/   data/, cold.json, item_vectors.npy, a recommender folder, training.json, validation.json, log.jsonl, rows.json,
         ranks.npz
  rl/    the same without data
  metrics.json, report.md, report.html
"""
