"""How is a plan worded? `compact` for models of a few million parameters, `full` for real language models."""

from data_synthesis.wording.parts import STYLES, StageTexts, Style

__all__ = ["STYLES", "StageTexts", "Style"]
