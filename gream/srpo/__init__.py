"""How is a reasoning recommender reinforced? SRPO: prefix rewards and bonus-calibrated advantages."""
