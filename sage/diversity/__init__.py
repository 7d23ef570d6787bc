"""How alike are the items of a list, and how is that changed? In training, and on request."""
