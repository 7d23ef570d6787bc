"""What is written? One task per command: its questions, its records, its filters."""
