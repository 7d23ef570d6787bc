"""How is anything but a language model trained? The only hand-written training loop of the project."""
