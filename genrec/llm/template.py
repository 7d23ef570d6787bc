"""How does a chat template open the assistant turn? The only place that calls one.

Qwen3's hybrid template writes an empty think block when thinking is off, Qwen3-Thinking's opens one always,
the template of Instruct-2507 does neither, SmolLM2's adds a system message and Llama's adds today's date.
Templates also re-render assistant text (newlines, think blocks), so assistant text never passes through one:
it is appended.
"""

from __future__ import annotations

import re
from typing import Any

FIXED_DATE = "01 Jan 2026"
_OPEN_THINK = re.compile(r"<think>\s*\Z")


def render_user_turn(tokenizer: Any, text: str, *, system: str | None = None, thinking: bool = False) -> str:
    """Render a user turn up to and including the opening of the assistant turn.

    Args:
        tokenizer: Hugging Face tokenizer with a chat template.
        text: content of the user turn, already escaped.
        system: system message, or None for the template's own default.
        thinking: False lets a hybrid template write its empty think block; True leaves it to the completion.

    Returns:
        The prompt string; it never ends inside an open think block.

    Raises:
        ValueError: when the tokenizer has no chat template.
    """
    if not getattr(tokenizer, "chat_template", None):
        name = getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
        raise ValueError(f"tokenizer {name!r} has no chat template; use an instruct model or set `chat_template`")
    messages = [{"role": "system", "content": system}] if system is not None else []
    rendered = tokenizer.apply_chat_template(
        [*messages, {"role": "user", "content": text}],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=thinking,
        date_string=FIXED_DATE,
    )
    return _OPEN_THINK.sub("", str(rendered))
