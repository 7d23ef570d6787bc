"""How do cold users get larger steps? Gradient weights by history length, exact over batches and processes."""
