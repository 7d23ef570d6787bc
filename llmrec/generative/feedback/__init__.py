"""What does the user ask for in words, and how does the next list follow? Rules, constraints, explicit state."""
