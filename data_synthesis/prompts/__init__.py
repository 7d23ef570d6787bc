"""What is a language model asked? Everything that reaches a prompt comes through `door.TrainingView`."""
