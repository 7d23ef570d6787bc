"""How is the generator trained under supervision? Weighted next items, and lists that do not repeat themselves."""
