"""The ground floor every recommender of this project stands on: items, histories, codes and scores."""

__version__ = "0.1.0"
