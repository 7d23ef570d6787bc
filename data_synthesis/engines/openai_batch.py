"""How are many prompts asked for half the price? OpenAI's Batch API: submit, poll, collect, and go on after a kill."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, EngineError, Fatal, Prompt, Transient
from data_synthesis.engines.batch_state import BatchState, Sent
from data_synthesis.engines.client import Connection
from data_synthesis.engines.openai_server import server_settings
from data_synthesis.engines.wire import SchemaRefused, chat_request, failure_of, read_completion

ENDPOINT, WINDOW = "/v1/chat/completions", "24h"
OPEN = ("validating", "in_progress", "finalizing", "cancelling")
_GATHER = 0.2  # seconds that a batch waits for company
logger = logging.getLogger(__name__)


class BatchApiEngine:
    """Collects prompts into batches; a prompt that an earlier run submitted is waited for and not sent again.

    Every request has an id made of its own words and attempt. What was submitted under which ids is kept in a small
    file beside the output, written before and after each step that could be paid for.

    Args:
        config: Model, address, sampling, size of a batch and seconds between two looks.
        state: The small file.
        timeout: Seconds until a connection is given up.

    Raises:
        ValueError: The variable with the key is empty and the server is OpenAI's own.
    """

    reads_words = True
    remote = False  # a batch may take a day: the job sets no timeout of its own

    def __init__(self, config: EngineConfig, state: Path, timeout: float = 120.0) -> None:
        self.config, self._connection = config, Connection(config, timeout)
        self.name = config.model
        self.max_output_tokens = config.max_output_tokens
        self.at_once = config.batch_requests
        self.settings: Mapping[str, Any] = {**server_settings(config), "engine": "openai_batch"}
        self._path, self._state = state, BatchState(state)
        self._schemas = config.structured != "none"
        self._new: dict[str, tuple[Prompt, asyncio.Future[Answer]]] = {}
        self._submitting: asyncio.Task[None] | None = None
        self._collecting: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers one prompt (see `Engine`)."""
        schemas = self._schemas  # another prompt's refusal may change it meanwhile
        name = self._id_of(prompt)
        if (sent := self._state.holding(name)) is None:
            sent = await self._submitted(name, prompt)
        lines = await self._collected(sent)
        if name not in lines:
            self._state.forget(name)  # the batch expired or was cancelled before it came to this one
            raise Transient(f"batch {sent.batch} ended without an answer to this prompt")
        return self._read(name, lines[name], schemas)

    async def close(self) -> None:
        """Stops looking; the batches go on at the server and the next run collects them."""
        tasks = [task for task in (self._submitting, *self._collecting.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._collecting.clear()
        await self._connection.close()

    def _id_of(self, prompt: Prompt) -> str:
        """Hash of everything that the answer depends on; a repeated attempt is another question."""
        body = json.dumps([prompt.key, prompt.attempt, self._body(prompt)], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()[:40]

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        return chat_request(self.config, prompt, self._schemas)

    async def _submitted(self, name: str, prompt: Prompt) -> Sent:
        """Puts a prompt into the next batch; returns once that batch is at the server."""
        self._new[name] = (prompt, asyncio.get_running_loop().create_future())
        future: asyncio.Future[Any] = self._new[name][1]
        if self._submitting is None or self._submitting.done():
            self._submitting = asyncio.create_task(self._submit_waiting())
        await future
        sent = self._state.holding(name)
        assert sent is not None, "a submitted prompt is in the state"
        return sent

    async def _submit_waiting(self) -> None:
        """Submits everything that waits, after a moment for company."""
        while self._new:
            await asyncio.sleep(_GATHER)
            taken = dict(list(self._new.items())[: self.config.batch_requests])
            for name in taken:
                del self._new[name]
            failure: Exception | None = None
            try:
                await self._submit({name: self._body(prompt) for name, (prompt, _) in taken.items()})
            except Exception as error:  # whoever waits hears of it and asks again
                failure = error
            for _, future in taken.values():
                if future.done():
                    continue
                if failure is not None:
                    future.set_exception(failure)
                else:
                    future.set_result(Answer(""))

    async def _submit(self, bodies: Mapping[str, dict[str, Any]]) -> None:
        """Uploads the requests, notes the file, creates the batch, notes the batch."""
        lines = ({"custom_id": name, "method": "POST", "url": ENDPOINT, "body": body} for name, body in bodies.items())
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        upload = await self._call(lambda client: client.files.create(file=("requests.jsonl", data), purpose="batch"))
        sent = self._state.uploaded(upload.id, list(bodies))
        await self._create(sent)

    async def _create(self, sent: Sent) -> None:
        """Creates the batch of an uploaded file."""
        batch = await self._call(
            lambda client: client.batches.create(input_file_id=sent.file, endpoint=ENDPOINT, completion_window=WINDOW)
        )
        self._state.created(sent, batch.id)
        logger.info("batch %s: %d requests submitted", batch.id, len(sent.names))

    async def _adopt(self, sent: Sent) -> None:
        """A run was killed between creating a batch and noting it: find it at the server, else create it."""
        found = await self._call(lambda client: _batch_of_file(client, sent.file))
        if found is None:
            await self._create(sent)
        else:
            self._state.created(sent, found)
            logger.info("batch %s was submitted by an earlier run", found)

    async def _collected(self, sent: Sent) -> dict[str, Any]:
        """The result lines of a batch by request id; everybody who waits shares one look at the server."""
        task = self._collecting.get(sent.file)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._collecting[sent.file] = asyncio.create_task(self._collect(sent))
        return await asyncio.shield(task)

    async def _collect(self, sent: Sent) -> dict[str, Any]:
        """Waits for the end of a batch and reads its files."""
        if not sent.batch:
            await self._adopt(sent)
        while True:
            batch = await self._call(lambda client: client.batches.retrieve(sent.batch))
            if batch.status not in OPEN:
                break
            await asyncio.sleep(self.config.poll_seconds)
        if batch.status == "failed":
            self._state.drop(sent)
            raise Fatal(f"batch {sent.batch} failed: {self._connection.blank(_errors_of(batch))}")
        logger.info("batch %s: %s", sent.batch, batch.status)
        lines: dict[str, Any] = {}
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            lines |= _lines_by_id(await self._call(partial(_content, file)))
        return lines

    async def _call(self, use: Callable[[Any], Awaitable[Any]]) -> Any:
        """A call that costs nothing by itself, however it ends."""
        try:
            return await self._connection.call(use)
        except Transient as error:
            raise Transient(str(error), error.retry_after) from None

    def _read(self, name: str, line: Mapping[str, Any], schemas: bool) -> Answer:
        """The answer in a result line.

        Raises:
            EngineError: The line holds a failure; when it may pass, the prompt goes into a new batch.
        """
        response = line.get("response") or {}
        status, body = response.get("status_code", 500), response.get("body")
        if status == 200:
            answer = read_completion(body)
            return replace(answer, text=self._connection.blank(answer.text))
        said = self._connection.blank(json.dumps(line.get("error") or body))
        failure = failure_of(status, said, {}, schemas)
        if isinstance(failure, SchemaRefused):
            if self.config.structured == "schema":
                raise Fatal(f"{self.name} takes no JSON schemas; set --structured none")
            self._schemas = False  # ids change with the requests: everybody is asked anew, without schemas
            failure = Transient("the server takes no JSON schemas; asking again without")
        if isinstance(failure, Transient):
            self._state.forget(name)
        assert isinstance(failure, EngineError)
        raise failure


async def _content(file: str, client: Any) -> str:
    return str((await client.files.content(file)).text)


async def _batch_of_file(client: Any, file: str) -> str | None:
    """The id of the batch that was made of an uploaded file."""
    async for batch in client.batches.list(limit=100):
        if batch.input_file_id == file:
            return str(batch.id)
    return None


def _errors_of(batch: Any) -> str:
    found = getattr(batch.errors, "data", None) or []
    return "; ".join(str(getattr(error, "message", error)) for error in found[:3]) or "the server says nothing more"


def _lines_by_id(text: str) -> dict[str, Any]:
    """The result lines of a file by request id.

    Raises:
        Transient: The file came damaged; it can be read again.
    """
    try:
        return {line["custom_id"]: line for line in map(json.loads, filter(str.strip, text.splitlines()))}
    except (ValueError, KeyError, TypeError) as error:
        raise Transient(f"a result file of the batch is damaged: {error}") from None
