"""GreamEngine answers as GreamRecommender does, for many callers at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from genrec.serving.door import Question
from gream.recommend import SamplingConfig
from gream.serving.chains import ChainJob, LocalChains, spoken
from gream.serving.engine import GreamEngine
from gream.serving.options import EngineOptions
from gream.serving.server_chains import ServerChains, events

pytestmark = pytest.mark.serve
SHORT = SamplingConfig(max_new_tokens=24)
OPTIONS = EngineOptions(num_beams=12, sampling=SHORT)


def answers(toy: Any, questions: list[Question], on_text: Any = None, **options: Any) -> list[Any]:
    """Answers to questions that arrive together."""

    async def scene() -> list[Any]:
        engine = GreamEngine(toy, options.pop("options", OPTIONS), **options)
        await engine.start()
        assert all(engine.ready().values())
        try:
            return list(await asyncio.gather(*(engine.answer(question, on_text) for question in questions)))
        finally:
            await engine.close()

    return asyncio.run(scene())


def pairs(listed: Any) -> list[tuple[int, float]]:
    return [(entry.item, round(entry.score, 4)) for entry in listed]


def test_direct_answers_of_a_batch_are_those_of_single_requests(toy):
    histories = [(1,), (2, 3), (4, 5, 6), (7, 8)]
    found = answers(toy, [Question(history, "direct", 5) for history in histories])
    for history, answer in zip(histories, found, strict=True):
        assert pairs(answer.listed) == pairs(toy.recommend(list(history), 5, num_beams=12))
        assert (answer.chain, answer.tokens) == ("", 0)


def test_a_reasoned_answer_is_the_greedy_chain_with_a_beam_behind_it(toy):
    (answer,) = answers(toy, [Question((1, 2), "reasoning", 4)])
    wanted = toy.recommend([1, 2], 4, "reasoning", decode="greedy_beam", sampling=SHORT, num_beams=12)
    assert pairs(answer.listed) == pairs(wanted)
    assert (answer.listed[0].source, answer.tokens > 0, len(answer.chains)) == ("chain_beam", True, 1)


def test_several_chains_vote_and_an_audited_draw_can_be_repeated(toy):
    question = Question((1, 2), "reasoning", 3, num_samples=4, seed=5, alone=True)
    first, second = (answers(toy, [question, Question((3,), "reasoning", 3, num_samples=4)])[0] for _ in range(2))
    assert first.listed == second.listed
    sampling = SamplingConfig(max_new_tokens=24, seed=5)
    wanted = toy.recommend([1, 2], 3, "reasoning", num_samples=4, sampling=sampling, num_beams=12)
    assert [(e.item, e.votes) for e in first.listed] == [(e.item, e.votes) for e in wanted]


def test_a_mixed_answer_has_m_reasoned_items_on_top_and_no_item_twice(toy):
    (answer,) = answers(toy, [Question((1, 2), "mixed", 6, reasoned=2)])
    assert [entry.source for entry in answer.listed] == ["chain_beam"] * 2 + ["beam"] * 4
    assert len({entry.item for entry in answer.listed}) == 6


@pytest.mark.parametrize("mode", ["direct", "reasoning", "mixed"])
def test_filters_and_exclusions_hold_in_every_mode(toy, mode):
    within = np.arange(12) % 2 == 0
    question = Question((1, 2), mode, 4, exclude=frozenset({2, 3}), within=within, within_key="even", num_samples=3)
    (answer,) = answers(toy, [question])
    found = {entry.item for entry in answer.listed}
    assert len(found) == 4
    assert found <= {0, 4, 6, 8, 10}


def test_the_chain_is_told_while_it_is_drawn_and_ends_before_its_tag(toy):
    told: list[str] = []
    (answer,) = answers(toy, [Question((1, 2), "reasoning", 2)], told.append)
    assert "</think>" not in "".join(told)
    assert answer.chains[0]["text"].removeprefix("<think>").strip().startswith("".join(told).strip()[:5])


def test_a_caller_who_leaves_ends_the_draw(toy):
    """The rows of a job that nobody waits for are done at the next token."""
    calls: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(toy.runner, name)

        def sample_batch(self, *arguments: Any, **named: Any) -> Any:
            drawn = toy.runner.sample_batch(*arguments, **named)
            calls.append(drawn[0][0].num_tokens)
            return drawn

    async def scene() -> None:
        source = LocalChains(Counting(), 2)  # type: ignore[arg-type]
        await source.start()
        gone = threading.Event()
        job = ChainJob(tuple(toy.runner.reasoning_ids([1])), 1, SamplingConfig(0.0, 1.0, 200), gone=gone)
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        job = ChainJob(job.prompt, 1, job.sampling, on_text=lambda _: loop.call_soon_threadsafe(told.set), gone=gone)
        task = asyncio.ensure_future(source.draw(job))
        await told.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await source.close()

    asyncio.run(scene())
    assert len(calls) == 1
    assert calls[0] < 190


class FakeAnswer:
    """An upstream answer made of parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.status, self._parts = 200, parts

    async def parts(self) -> Any:
        for part in self._parts:
            yield part

    async def read(self) -> bytes:
        return b"".join(self._parts)

    async def close(self) -> None: ...


class FakePool:
    """Model servers that always say the same."""

    def __init__(self, words: list[str], n: int = 1, done: bool = True) -> None:
        lines = [
            {"choices": [{"index": i, "text": word, "logprobs": {"token_logprobs": [-0.5 * (i + 1)]}}]}
            for word in words for i in range(n)
        ]  # fmt: skip
        text = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + ("data: [DONE]\n\n" if done else "")
        self.content = text.encode()
        choices = [
            {"index": i, "text": "".join(words), "logprobs": {"token_logprobs": [-0.5 * (i + 1)] * len(words)}}
            for i in range(n)
        ]
        whole = json.dumps({"choices": choices}).encode()
        self.whole = whole if done else whole[:-9]
        self.bodies: list[Any] = []

    def healthy(self) -> bool:
        return True

    async def send(self, method: str, path: str, body: bytes = b"") -> FakeAnswer:
        if path == "/v1/models":
            return FakeAnswer([b'{"data": [{"id": "served"}]}'])
        self.bodies.append(json.loads(body))
        content = self.content if self.bodies[-1]["stream"] else self.whole
        return FakeAnswer([content[i : i + 7] for i in range(0, len(content), 7)])


def test_tags_are_never_shown_even_when_they_come_letter_by_letter():
    text = " <think>likes <b and 1 < 2 </think><answer>"
    shown = [spoken(text[:end]) for end in range(len(text) + 1)]
    assert all(longer.startswith(shorter) for shorter, longer in itertools.pairwise(shown))
    assert shown[-1] == shown[-9] == "likes <b and 1 < 2"
    assert not any(tag in piece for piece in shown for tag in ("<t", "</"))


def test_chains_of_a_model_server_are_ranked_by_the_beams_of_this_process(toy):
    pool = FakePool(["<think>", "likes ", "films"])
    told: list[str] = []
    question = Question((1, 2), "reasoning", 3, seed=4)
    (answer,) = answers(toy, [question], told.append, chains=ServerChains(pool, 16, range(300, 302)))  # type: ignore[arg-type]
    items, _ = toy.rank_after_chains([[1, 2]], ["likes films"], 3, 12)
    assert [entry.item for entry in answer.listed] == items[0].tolist()
    assert ("".join(told), answer.chain, answer.tokens) == ("likes films", "likes films", 3)
    (body,) = pool.bodies
    assert (body["model"], body["prompt"], body["n"]) == ("served", toy.runner.reasoning_ids([1, 2]), 1)
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (16, 0.0, ["</think>"])
    assert body["logit_bias"] == {"300": -100.0, "301": -100.0}
    assert body["stream"]


def test_a_chain_that_nobody_watches_comes_in_one_piece_and_says_the_same(toy):
    question, found, pools = Question((1, 2), "reasoning", 3), [], []
    for listeners in ([], [lambda text: None]):
        pools.append(FakePool(["<think>", "likes ", "films"]))
        found += answers(toy, [question], *listeners, chains=ServerChains(pools[-1], 16))  # type: ignore[arg-type]
    assert [pool.bodies[0]["stream"] for pool in pools] == [False, True]
    assert [(answer.chain, answer.tokens) for answer in found] == [("likes films", 3)] * 2
    assert found[0].listed == found[1].listed


def test_several_chains_of_a_model_server_vote_with_the_best_item_behind_each(toy):
    pool = FakePool(["likes films"], n=3)
    (answer,) = answers(toy, [Question((1,), "reasoning", 2, num_samples=3)], chains=ServerChains(pool, 16))  # type: ignore[arg-type]
    items, _ = toy.rank_after_chains([[1]], ["likes films"], 2, 12)
    assert [(e.item, e.votes) for e in answer.listed] == [(items[0, 0], 3), (items[0, 1], 0)]


@pytest.mark.parametrize(("listeners", "code"), [([print], "upstream_unavailable"), ([], "upstream_error")])
def test_an_answer_that_breaks_off_is_a_failure_of_the_server(toy, listeners, code):
    from genrec.serving.door import UpstreamError

    chains = ServerChains(FakePool(["likes"], done=False), 16)  # type: ignore[arg-type]
    with pytest.raises(UpstreamError) as failed:
        answers(toy, [Question((1,), "reasoning", 2)], *listeners, chains=chains)
    assert failed.value.code == code


@pytest.mark.parametrize("content", [b"[1]", b"7", b'{"error": {"message": "out of memory"}}'])
def test_json_that_is_no_completion_is_a_failure_of_the_server(toy, content):
    from genrec.serving.door import UpstreamError

    pool = FakePool(["likes"])
    pool.whole = content
    with pytest.raises(UpstreamError, match="failed in the middle of an answer"):
        answers(toy, [Question((1,), "reasoning", 2)], chains=ServerChains(pool, 16))  # type: ignore[arg-type]


def test_events_are_read_whatever_way_they_are_cut():
    async def parts(size: int) -> Any:
        content = FakePool(["a", "b"]).content
        for start in range(0, len(content), size):
            yield content[start : start + size]

    async def texts(size: int) -> list[str]:
        return [event["choices"][0]["text"] async for event in events(parts(size))]

    assert [asyncio.run(texts(size)) for size in (1, 3, 10_000)] == [["a", "b"]] * 3


def test_semantic_ids_in_a_chain_read_as_titles(toy):
    from gream.serving.reading import ChainReader

    reader = ChainReader(toy)
    sid = toy.runner.sid_text
    assert reader.readable(f"saw {sid(0)}{sid(2)} and <a_9>") == "saw «Alien» «Heat» and <a_9>"
