"""How does a list get its reasons, and are they true? Writers, the structured answer, the grounding checker."""
