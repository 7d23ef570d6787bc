"""How do users and items meet in one vector space? Two projection heads over text vectors, trained by InfoNCE."""
