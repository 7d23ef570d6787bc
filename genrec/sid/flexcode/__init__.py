"""How do codes know popularity? FlexCode: collaborative and semantic codebooks, split item by item."""
