"""In which words is each task asked? Wording 0 is the fixed one of evaluation; the others vary training."""

from __future__ import annotations

from types import MappingProxyType

PLACE = "{text}"
"""Where a wording takes an item's text or SID."""

SEQUENTIAL = "sequential"
REASONING = "reasoning"
TEXT_TO_SID = "text_to_sid"
SID_TO_TITLE = "sid_to_title"
SID_TO_DESCRIPTION = "sid_to_description"
HISTORY_TO_PREFERENCES = "history_to_preferences"
QUERY_TO_SID = "query_to_sid"
HISTORY_TO_TITLE = "history_to_title"

TASKS = (
    SEQUENTIAL,
    TEXT_TO_SID,
    SID_TO_TITLE,
    SID_TO_DESCRIPTION,
    HISTORY_TO_PREFERENCES,
    QUERY_TO_SID,
    HISTORY_TO_TITLE,
)
"""Alignment tasks (METHODS 1.2): one of recommendation, three of reconstruction, three of preference."""

WORDINGS = MappingProxyType(
    {
        SEQUENTIAL: (
            "List this user's items in order.",
            "Which items does this user choose?",
            "Continue the history with the next item.",
            "What does this user pick next?",
        ),
        REASONING: (
            "Think, then recommend the next item.",
            "Explain the history, then name the next item.",
            "Reason about this user, then recommend one item.",
        ),
        TEXT_TO_SID: (
            "Which item is this? {text}",
            "Find the item for this description: {text}",
            "Give the ID of: {text}",
        ),
        SID_TO_TITLE: (
            "What is the title of {text}?",
            "Name item {text} .",
            "How is {text} called?",
        ),
        SID_TO_DESCRIPTION: (
            "Describe {text} .",
            "What is known about {text}?",
            "Write the description of {text} .",
        ),
        HISTORY_TO_PREFERENCES: (
            "Summarise what this user likes.",
            "What are the preferences of this user?",
            "Describe this user's taste.",
        ),
        QUERY_TO_SID: (
            "Find an item for: {text}",
            "A user wants: {text} Which item fits?",
            "Search: {text}",
        ),
        HISTORY_TO_TITLE: (
            "What is the title of the next item?",
            "Name the product this user picks next.",
            "Which title comes next?",
        ),
    }
)

COMPACT_LABELS = MappingProxyType({stage: f"{stage}." for stage in range(1, 6)})
FULL_LABELS = MappingProxyType(
    {1: "Behaviour:", 2: "Preferences:", 3: "Intent:", 4: "Recommendation:", 5: "Rewritten history:"}
)


def wording(task: str, index: int) -> str:
    """Return one wording of a task.

    Args:
        task: a key of `WORDINGS`.
        index: any non-negative number; it wraps around the number of wordings.

    Raises:
        ValueError: when the task is unknown.
    """
    if task not in WORDINGS:
        raise ValueError(f"task {task!r} is unknown; choose from {sorted(WORDINGS)}")
    return WORDINGS[task][index % len(WORDINGS[task])]


def prompt_corpus(times: int = 100) -> list[str]:
    """Return every fixed sentence a prompt can hold, to train a compact tokenizer on beside the catalogue.

    Args:
        times: repetitions; a byte-pair trainer merges only what is frequent.
    """
    sentences = [text.replace(PLACE, "").strip() for texts in WORDINGS.values() for text in texts]
    roles = ["system", "user", "assistant"]
    return [*roles, *sentences, *COMPACT_LABELS.values(), *FULL_LABELS.values()] * times
