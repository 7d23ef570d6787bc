"""What can be set at the gateway? Addresses, limits, keys, storage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DAY = 86_400.0
_ARM = re.compile(r"[A-Za-z0-9_.-]{1,40}")


@dataclass(frozen=True)
class ServingConfig:
    """Settings of one gateway.

    Attributes:
        host: Address to bind; the loopback by default.
        port: Port; 0 takes a free one.
        state_dir: Folder of feedback.jsonl and audit.sqlite.
        api_keys: Accepted keys; empty means that no key is asked for.
        cors_origins: Origins that browsers may call from; none by default.
        max_body_bytes: Longest request body.
        body_seconds: Longest wait for a body.
        request_seconds: Longest time for one answer.
        max_history: Most items of a request's history.
        max_k: Longest list.
        max_samples: Most chains of a request.
        direct_slots: Direct requests under way at once; the next gets 429. An accepted one waits for about two batches
            of half the slots, so few slots keep the latency under load near that of an idle server.
        reasoning_slots: The same for reasoning and mixed mode.
        upstream_slots: The same for passed-through OpenAI calls.
        audit_retention_seconds: How long audits are kept; 0 switches audits off.
        arms: Experiment arms and their weights; an arm named like a mode sets it for users without one.
        arm_salt: Makes the split of users differ between experiments.
        log_text: True writes histories to the log (they are user data).
        drain_seconds: Longest wait for open requests after SIGTERM.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    state_dir: Path = Path("runs/serving")
    api_keys: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 65_536
    body_seconds: float = 10.0
    request_seconds: float = 60.0
    max_history: int = 200
    max_k: int = 100
    max_samples: int = 16
    direct_slots: int = 3
    reasoning_slots: int = 4
    upstream_slots: int = 64
    audit_retention_seconds: float = 30 * DAY
    arms: Mapping[str, float] = field(default_factory=lambda: {"all": 1.0})
    arm_salt: str = "genrec"
    log_text: bool = False
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Check every limit; the message names value, rule and remedy."""
        for name in ("max_body_bytes", "body_seconds", "request_seconds", "max_history", "max_k", "max_samples",
                     "direct_slots", "reasoning_slots", "upstream_slots", "drain_seconds"):  # fmt: skip
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)} must be above 0")
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port={self.port} must be 0 .. 65535; 0 takes a free one")
        if self.audit_retention_seconds < 0:
            raise ValueError(f"audit_retention_seconds={self.audit_retention_seconds}; 0 switches audits off")
        short = [key for key in self.api_keys if len(key) < 16]
        if short:
            raise ValueError(
                f"{len(short)} API keys have fewer than 16 characters; make one with `openssl rand -hex 24`"
            )
        if not self.arms or min(self.arms.values()) < 0 or sum(self.arms.values()) <= 0:
            raise ValueError(f"arms={dict(self.arms)}: give each arm a weight >= 0 and at least one above 0")
        if bad := [name for name in self.arms if not _ARM.fullmatch(name)]:
            raise ValueError(f"arm {bad[0]!r}: use up to 40 letters, digits, '_', '.' or '-'")
