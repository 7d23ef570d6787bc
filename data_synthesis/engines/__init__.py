"""Who writes the texts? An engine: today the offline teacher; language models fit the same interface."""

from typing import Protocol

from data_synthesis.examples import Example
from genrec.data.chains import Chain


class ChainEngine(Protocol):
    """A writer of chains.

    Attributes:
        name: Goes into every chain as its `teacher`.
    """

    name: str

    def write(self, example: Example, attempt: int) -> Chain:
        """Writes one chain.

        Args:
            example: The training event to explain.
            attempt: 0 first; each rejection asks again with the next number, for another wording.

        Returns:
            A chain that is not checked yet.
        """
