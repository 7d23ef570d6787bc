"""How good, how fast and how dear is one checkpoint in one mode, through one engine?

asking.py   a batch of users through the recommender, or one by one through a running gateway
journal.py  one line per user, so that a killed evaluation continues
shards.py   several processes, a share of the users each
summary.py  figures of a journal: ranking, Pass@k, latency, tokens, cost, per segment
versus.py   two journals of the same users against each other
run.py      the whole for a stage of a run
"""
