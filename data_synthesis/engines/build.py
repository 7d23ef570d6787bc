"""Which engine does a configuration mean?"""

from pathlib import Path

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Engine
from data_synthesis.engines.stepwise import StepwiseEngine


def build_engine(config: EngineConfig, timeout: float, batches: Path | None = None) -> Engine:
    """Makes an engine that reads prompts, one field at a time where that is asked for.

    Args:
        config: Which one.
        timeout: Seconds until a request to a server is given up.
        batches: Where the Batch API's engine notes what it submitted.

    Raises:
        ValueError: The engine cannot write texts, or lacks its key.
    """
    engine = _engine(config, timeout, batches)
    return StepwiseEngine(engine) if config.stepwise else engine


def _engine(config: EngineConfig, timeout: float, batches: Path | None) -> Engine:
    """The engine itself; heavy libraries are imported at its first prompt.

    Args:
        config: Which one.
        timeout: Seconds until a request to a server is given up.
        batches: Where the Batch API's engine notes what it submitted.

    Raises:
        ValueError: The engine cannot write texts, or lacks its key.
    """
    if config.engine == "openai":
        from data_synthesis.engines.openai_server import ServerEngine

        return ServerEngine(config, timeout)
    if config.engine == "openai_batch":
        from data_synthesis.engines.openai_batch import BatchApiEngine

        assert batches is not None, "the Batch API needs a file for its state"
        return BatchApiEngine(config, batches, timeout)
    if config.engine == "offline":
        raise ValueError("the offline teacher writes chains only (command cot); set --engine and --model")
    from data_synthesis.engines.batched import BatchedEngine
    from data_synthesis.engines.local import load_transformers, load_vllm

    return BatchedEngine(config, load_vllm if config.engine == "vllm" else load_transformers)
