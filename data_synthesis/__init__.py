"""The dataset synthesis tool: text that a recommender trains on, written from training data and checked.

Today it writes five-stage reasoning chains (`python -m data_synthesis cot`) with an offline teacher of rules.
It exchanges files with the systems; the chain schema lives in `genrec.data.chains`.
"""
