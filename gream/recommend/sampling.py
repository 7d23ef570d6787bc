"""How are chains drawn, and what comes out? Settings and samples; `genrec.decoding.sampling` does the drawing."""

from __future__ import annotations

from dataclasses import dataclass

from genrec.decoding.sampling import SampleSettings


@dataclass(frozen=True)
class SampledChain:
    """One sampled completion.

    Attributes:
        row: Which history it answers.
        text: The completion as text, tags included.
        chain: What stands between the think tags.
        item: Item of the answer; None when there is no answer or it names no item.
        log_prob: Sum of the log-probabilities of its tokens at temperature 1 (nats), after constraints.
        num_tokens: Tokens drawn, the end token included.
        format_ok: True when the whole output has the trained form.
        answered: True when there is an answer with well-formed codes, existing item or not.
    """

    row: int
    text: str
    chain: str
    item: int | None
    log_prob: float
    num_tokens: int
    format_ok: bool
    answered: bool


@dataclass(frozen=True)
class SamplingConfig:
    """How chains are drawn.

    Args:
        temperature: Softmax temperature; 0 is greedy.
        top_p: Nucleus share, in (0, 1].
        max_new_tokens: Longest completion, tokens, answer included.
        seed: Seed of the draw.

    Raises:
        ValueError: A value is out of range.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.temperature < 0:
            raise ValueError(f"temperature={self.temperature} is negative; use 0 for greedy decoding")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} is outside (0, 1]; 1 keeps every token")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens}: a chain needs at least one token")

    def settings(self, num_samples: int, end_id: int, pad_id: int) -> SampleSettings:
        """Spell the draw out for the sampler.

        Args:
            num_samples: n.
            end_id: Token that ends a completion.
            pad_id: Padding token.

        Raises:
            ValueError: Several greedy samples were asked for; they would all be the same.
        """
        if self.temperature == 0 and num_samples > 1:
            raise ValueError(f"{num_samples} greedy samples are all the same; ask for 1 or set temperature > 0")
        return SampleSettings(self.max_new_tokens, (end_id,), pad_id, self.temperature, self.top_p)
