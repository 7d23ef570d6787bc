"""How do contrast and reconstruction together help where histories are short or change? CoRec around any backbone."""
