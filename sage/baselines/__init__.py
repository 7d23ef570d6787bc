"""What must SAGE beat in the cold? Recommenders from content alone."""
