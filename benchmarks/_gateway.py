"""How does a benchmark run a gateway? `gream serve` in a process of its own, stopped with SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from genrec.serving.upstream.process import free_port


class GatewayProcess:
    """A running `gream serve`.

    Args:
        model: Recommender folder.
        folder: For its state and log.
        extra: Further arguments.
        port: Port; 0 takes a free one.
    """

    def __init__(self, model: Path, folder: Path, extra: Sequence[str] = (), port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "gateway.log"
        command = [sys.executable, "-m", "gream.cli", "serve", "--model", str(model), "--port", str(self.port),
                   "--state-dir", str(folder), *extra]  # fmt: skip
        self._handle = self.log.open("ab")
        self.process = subprocess.Popen(command, stdout=self._handle, stderr=self._handle, env=dict(os.environ))

    def wait_ready(self, seconds: float = 900) -> float:
        """Seconds until /ready says so.

        Raises:
            RuntimeError: It ended, or took too long.
        """
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}")
            try:
                if httpx.get(f"{self.url}/ready", timeout=5, trust_env=False).status_code == 200:
                    return time.perf_counter() - started
            except httpx.HTTPError:
                pass  # not listening yet
            time.sleep(0.1)
        raise RuntimeError(f"the gateway was not ready after {seconds} s:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status after the drain."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(120)
        self._handle.close()
        return status


@contextmanager
def gateway(model: Path, folder: Path, extra: Sequence[str] = ()) -> Iterator[GatewayProcess]:
    """A gateway for the length of a block."""
    running = GatewayProcess(model, folder, extra)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
