"""Does it work for whom, and for what, nobody has seen? Cold-start splits and their figures."""
