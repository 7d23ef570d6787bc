"""A server with OpenAI's interface that answers sensibly, late, wrongly or not at all.

python tests/data_synthesis/misbehaving_server.py --failures 0.2 --delay 0.05

Prints its port. `GET /log` returns one entry per request: the subject (title or history) and what was sent.
`/v1/files` and `/v1/batches` are OpenAI's Batch API (see misbehaving_batches.py); its requests are logged as well.
Which request fails is drawn from the seed, the question and how often it was asked.
"""

import argparse
import asyncio
import json
import random
import re
from collections import Counter
from typing import Any

from aiohttp import web
from misbehaving_batches import Batches

MODES = ("rate_limit", "error", "slow", "cut", "invalid_json", "wrong_schema", "no_choices", "duplicated", "html")


class Server:
    """State of the server: the log, and the last good answer, which "duplicated" sends again."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.log: list[dict[str, str]] = []
        self.asked: Counter[str] = Counter()
        self.last = ""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if self.options.no_schemas and "response_format" in body:
            return web.json_response({"error": {"message": "response_format is not supported"}}, status=400)
        if self.options.echo_key:
            said = f"wrong header {request.headers['Authorization']}"
            return web.json_response({"error": {"message": said}}, status=self.options.echo_key)
        subject = body["messages"][1]["content"]
        self.asked[subject] += 1
        rng = random.Random(f"{self.options.seed}|{subject}|{self.asked[subject]}")
        mode = rng.choice(self.options.modes) if rng.random() < self.options.failures else "good"
        self.log.append({"subject": subject, "mode": mode})
        await asyncio.sleep(self.options.delay)
        if mode == "good":
            self.last = answer_to(body)
            return _completion(self.last)
        return await self._misbehave(mode, body, request)

    async def _misbehave(self, mode: str, body: dict[str, Any], request: web.Request) -> web.StreamResponse:
        if mode == "rate_limit":
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "0.05"})
        if mode == "error":
            return web.json_response({"error": {"message": "oops"}}, status=500)
        if mode == "slow":
            await asyncio.sleep(self.options.slow)
            return _completion(answer_to(body))
        if mode == "cut":
            response = web.StreamResponse(headers={"Content-Length": "5000"})
            await response.prepare(request)
            await response.write(b'{"id": "x", "choices": [{"mess')
            assert request.transport is not None
            request.transport.abort()
            return response
        if mode == "html":
            return web.Response(text="<html>gateway</html>", content_type="text/html")
        if mode == "no_choices":
            return _completion(None)
        broken = {"invalid_json": '{"description": "no end', "wrong_schema": '{"text": 3}', "duplicated": self.last}
        return _completion(broken[mode], copies=2 if mode == "duplicated" else 1)

    async def show_log(self, request: web.Request) -> web.Response:
        return web.json_response(self.log)


def answer_to(body: dict[str, Any]) -> str:
    """A good answer to any command, made of the words of the prompt."""
    data = body["messages"][1]["content"]
    titles = re.findall(r"^(?:title: |\d+\. )(.*?)(?: \(.*)?$", data, re.MULTILINE)
    target = re.search(r"^next item: (.*?)(?: \(.*)?$", data, re.MULTILINE)
    liked = f"The user likes {titles[-1]} and things like it, such as {titles[0]}, of {len(data)}."
    following = f"{target[1] if target else ''} fits, because {titles[-1]} was liked as well."
    answers = {
        "description": f"{titles[0]} is an item that people use and like for what it is, number {len(data)}.",
        "long_term": liked,
        "short_term": liked,
        "general": liked,
        "behaviour": f"There was {titles[-1]} after {titles[0]} in {len(titles)} steps.",
        "preferences": f"A taste for {titles[0]}.",
        "intent": f"More of {titles[-1]}.",
        "recommendation": following,
        "reason": following,
        "denoised": [len(titles)],
        "kept": [len(titles)],
    }
    wanted = re.findall(r'"(\w+)": <', body["messages"][0]["content"])
    return json.dumps({name: answers[name] for name in wanted})


def _completion(text: str | None, copies: int = 1) -> web.Response:
    return web.json_response(completion_body(text, copies))


def completion_body(text: str | None, copies: int = 1) -> dict[str, Any]:
    """A chat completion; without a text it has no choices."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "local",
        "choices": [] if text is None else [choice] * copies,
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--failures", type=float, default=0.0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--slow", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no_schemas", action="store_true")
    parser.add_argument("--echo_key", type=int, default=0, help="status of an error that repeats the header")
    parser.add_argument("--modes", nargs="*", default=MODES)
    parser.add_argument("--polls", type=int, default=2, help="looks at a batch until it is done")
    parser.add_argument("--batch_ends", nargs="*", default=[], help="status of the first batches, such as expired")
    server = Server(parser.parse_args())
    app = web.Application(client_max_size=2**28)
    Batches(server).add_to(app)
    app.router.add_post("/v1/chat/completions", server.complete)
    app.router.add_get("/log", server.show_log)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
