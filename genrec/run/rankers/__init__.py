"""How does a recipe train and judge a model over item ids? Settings, the training stage, its report.

settings.py   one dataclass per backbone; `--help` and the YAML files are made from it
train.py      data, model and training, resumable
judge.py      all test users: Popularity, item-kNN and the model; metrics.json, report.md, report.html, vectors
"""
