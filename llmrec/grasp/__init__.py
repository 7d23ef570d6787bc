"""How can descriptions enrich a recommender without teaching it their errors? Attention over text features (GRASP)."""
