"""How does a network learn codes? RQ-VAE: encoder, residual codebooks, decoder."""
