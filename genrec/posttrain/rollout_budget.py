"""When is a run as long as another one? Generated tokens are counted, and training stops where the budget is spent.

Steps do not compare methods that sample differently: a step of dynamic sampling generates up to `max_resample + 1`
batches. Legend: tokens are those of completions, on all processes.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

LOGGED = "rollout_tokens"


class RolloutBudget(TrainerCallback):  # type: ignore[misc]
    """Counts generated tokens and ends the run; a resumed run goes on from the last count in the log.

    Args:
        limit: tokens; 0 = none.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.spent = limit, 0

    def add(self, tokens: float) -> None:
        """Count the tokens of one generation, on all processes together."""
        self.spent += round(tokens)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the count over from the log of the run that is resumed."""
        self.spent = max((int(entry[LOGGED]) for entry in state.log_history if LOGGED in entry), default=0)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the run once the budget is spent."""
        if self.limit and self.spent >= self.limit:
            control.should_training_stop = True
