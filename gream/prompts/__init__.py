"""How does GREAM speak to its language model? One formatter for training strings and inference prompts."""

from gream.prompts.config import PromptConfig
from gream.prompts.formatter import Formatter
from gream.prompts.output import Parsed
from gream.prompts.wordings import TASKS, prompt_corpus

__all__ = ["TASKS", "Formatter", "Parsed", "PromptConfig", "prompt_corpus"]
