"""How is a user asked? In batches through a recommender, or one by one through a gateway that others use too.

Legend: B users of a chunk, n chains per user. Items are dense indices.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from gream.recommend.lists import merge
from gream.recommend.runner import History
from gream.recommend.sampling import SampledChain, SamplingConfig

if TYPE_CHECKING:
    from genrec.data.catalogue import Catalogue
    from gream.recommend import GreamRecommender

MANY_TRIES = 50


@dataclass
class Reply:
    """What came back for one user.

    Attributes:
        items: Ranked dense items; empty in reasoning mode through a recommender, where the samples count.
        answers: Item of each chain, -1 where there is none.
        log_probs: Log-probability of each chain with its answer, nats.
        format_ok: Whether each chain has the trained form.
        tokens: Generated tokens.
        seconds: Time of the answer; in a batch its share of the batch.
    """

    items: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    format_ok: list[bool] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


Ask = Callable[[Sequence[History], int], list[Reply]]
"""Replies for a chunk of histories; the number is the chunk's, for seeds."""


def ask_recommender(
    recommender: GreamRecommender, mode: str, k: int, n: int, config: SamplingConfig, num_beams: int, reasoned: int = 3
) -> Ask:
    """Ask a checkpoint in this process (with whatever engine it has).

    Args:
        recommender: The checkpoint.
        mode: "direct", "reasoning" or "mixed".
        k: List length of direct and mixed mode.
        n: Chains per user.
        config: Sampling; each chunk draws with a seed of its own.
        num_beams: Beam width.
        reasoned: Mixed mode: places for reasoning (m).
    """

    def ask(histories: Sequence[History], chunk: int) -> list[Reply]:
        started = time.perf_counter()
        replies = [Reply() for _ in histories]
        if mode != "direct":
            seeded = SamplingConfig(config.temperature, config.top_p, config.max_new_tokens, config.seed + 7919 * chunk)
            drawn = recommender.sample_chains(histories, n, seeded, batch_size=max(n, n * len(histories)))
            replies = [_reply(samples) for samples in drawn]
        if mode != "reasoning":
            lists, _ = recommender.rank_direct(histories, k, num_beams, batch_size=len(histories))
            for reply, row in zip(replies, lists.tolist(), strict=True):
                reply.items = _mixed(reply, row, k, reasoned) if mode == "mixed" else row
        seconds = (time.perf_counter() - started) / len(histories)
        for reply in replies:
            reply.seconds = seconds
        return replies

    return ask


def _reply(samples: Sequence[SampledChain]) -> Reply:
    return Reply(
        [], [-1 if s.item is None else s.item for s in samples], [s.log_prob for s in samples],
        [s.format_ok for s in samples], sum(s.num_tokens for s in samples),
    )  # fmt: skip


def _mixed(reply: Reply, direct: Sequence[int], k: int, reasoned: int) -> list[int]:
    """The voted items on top of the direct ones."""
    from gream.recommend.lists import beam_row, rank_by_votes

    answers = [(a, p, "") for a, p in zip(reply.answers, reply.log_probs, strict=True)]
    merged = merge(rank_by_votes(answers), beam_row(direct, [0.0] * len(direct)), k, take=reasoned)
    return [entry.item for entry in merged]


def ask_server(url: str, catalogue: Catalogue, mode: str, k: int, n: int, workers: int = 4, api_key: str = "") -> Ask:
    """Ask a running gateway, several users at once, with the latencies that its callers see.

    With several chains per user each request is audited, and the chains with their answers are read from the audit.

    Args:
        url: Address of the gateway.
        catalogue: The items, to turn ids into dense indices.
        mode: "direct", "reasoning" or "mixed".
        k: List length.
        n: Chains per user.
        workers: Users at once.
        api_key: Sent where the gateway wants one.
    """
    import httpx

    headers, audited = {"X-API-Key": api_key} if api_key else {}, n > 1 and mode != "direct"
    client = httpx.Client(base_url=url.rstrip("/"), timeout=120, headers=headers, trust_env=False)
    ids = catalogue.item_ids

    def one(history: History) -> Reply:
        body = {"history": [ids[int(i)] for i in history], "mode": mode, "k": k, "num_samples": n, "audit": audited}
        body["history"] = body["history"][-200:]  # type: ignore[index]
        for _ in range(MANY_TRIES):
            started = time.perf_counter()
            answer = client.post("/v1/recommendations", json=body)
            seconds = time.perf_counter() - started
            if answer.status_code != 429:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.status_code != 200:
            error = answer.json().get("error", {})
            raise ValueError(f"{url} answered {answer.status_code} {error.get('code')}: {error.get('message')}")
        facts = answer.json()
        items = [catalogue.index_of(item["id"]) for item in facts["items"]]
        reply = Reply(items, tokens=int(facts["tokens"]), seconds=seconds)
        return _with_chains(reply, client.get(f"/v1/audits/{facts['id']}"), catalogue) if audited else reply

    def ask(histories: Sequence[History], chunk: int) -> list[Reply]:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, histories))

    return ask


def _with_chains(reply: Reply, audit: Any, catalogue: Catalogue) -> Reply:
    """A reply with the chains of its audit."""
    if audit.status_code != 200:
        raise ValueError(f"the gateway kept no audit ({audit.status_code}); start it with --audit-days above 0")
    for chain in audit.json()["chains"]:
        reply.answers.append(-1 if chain["answer"] is None else catalogue.index_of(chain["answer"]))
        reply.log_probs.append(float(chain["log_prob"]))
        reply.format_ok.append(bool(chain["format_ok"]))
    return reply
