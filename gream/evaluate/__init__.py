"""How good is a checkpoint? Direct mode over all users, reasoning mode over a fixed sample, examples.

direct.py       Recall, NDCG (with and without the user's own history), what lists are made of, head and tail
reasoning.py    Pass@k in three ways, format, invalid answers
chain_worth.py  what an answer owes to its chain, and what a foreign chain does to it
examples.py     histories, chains and lists as a person reads them
"""

from genrec.metrics.figures import ranking_figures
from gream.evaluate.direct import DirectResult, evaluate_direct
from gream.evaluate.examples import build_examples
from gream.evaluate.reasoning import ReasoningResult, evaluate_reasoning

__all__ = [
    "DirectResult",
    "ReasoningResult",
    "build_examples",
    "evaluate_direct",
    "evaluate_reasoning",
    "ranking_figures",
]
