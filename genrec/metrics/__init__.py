"""How good is a ranked list? Ranking, Pass@k, list quality, head and tail groups, uncertainty."""
