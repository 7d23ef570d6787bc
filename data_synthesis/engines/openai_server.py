"""How is a server with OpenAI's interface asked? One chat completion per prompt; vLLM, Ollama and hosts alike."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, Fatal, Prompt, Refused, Transient, Usage

if TYPE_CHECKING:
    import openai

_SHOWN = 300  # characters of a server's message that reach a log


class ServerEngine:
    """Asks an OpenAI-compatible server.

    The key comes from the environment only. It is blanked out of every message and answer, since a server may
    echo what it was sent.

    Args:
        config: Model, address and sampling.
        timeout: Seconds until a connection is given up.

    Raises:
        ValueError: The variable with the key is empty and the server is OpenAI's own.
    """

    reads_words = True
    remote = True

    def __init__(self, config: EngineConfig, timeout: float = 120.0) -> None:
        self._key = os.environ.get(config.api_key_env, "")
        if not self._key and not config.base_url:
            raise ValueError(f"the environment variable {config.api_key_env} is empty; export the key, or set base_url")
        self.config, self._timeout = config, timeout
        self.name = config.model
        self.max_output_tokens = config.max_output_tokens
        self.settings: Mapping[str, Any] = {
            "engine": "openai",
            "host": urlsplit(config.base_url).hostname or "api.openai.com",
            "temperature": config.temperature,
            "max_output_tokens": config.max_output_tokens,
            "structured": config.structured,
        }
        self._schemas = config.structured != "none"
        self._client: openai.AsyncOpenAI | None = None

    def __repr__(self) -> str:
        return f"ServerEngine({self.name!r})"

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers one prompt (see `Engine`)."""
        schemas = self._schemas
        try:
            return await self._ask(prompt, schemas)
        except _SchemaRefused:
            if self.config.structured == "schema":
                raise Fatal(f"{self.name} takes no JSON schemas; set --structured none") from None
            self._schemas = False
        return await self._ask(prompt, False)

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _ask(self, prompt: Prompt, schemas: bool) -> Answer:
        """One call; the library's errors become ours, without the key and without their origin."""
        import openai

        failure: Exception
        try:
            return self._read(await self._connected().chat.completions.create(**self._request(prompt, schemas)))
        except openai.APIStatusError as error:
            failure = self._status_failure(error, schemas)
        except (openai.APITimeoutError, openai.APIConnectionError) as error:
            failure = Transient(f"{type(error).__name__}: {self._shown(error)}", billed=True)
        except openai.APIError as error:
            failure = Transient(f"{type(error).__name__}: {self._shown(error)}")
        except ValueError as error:  # the body is no JSON
            failure = Transient(f"the server sent an unreadable body: {self._shown(error)}", billed=True)
        raise failure  # outside the handlers, so that no traceback chains to a request with its headers

    def _connected(self) -> "openai.AsyncOpenAI":
        """The client, made inside the running event loop; retries are the job's business."""
        if self._client is None:
            import openai

            self._client = openai.AsyncOpenAI(
                api_key=self._key or "none",
                base_url=self.config.base_url or None,
                max_retries=0,
                timeout=self._timeout,
            )
        return self._client

    def _request(self, prompt: Prompt, schemas: bool) -> dict[str, Any]:
        """Arguments of the call."""
        request: dict[str, Any] = {
            "model": self.config.model,
            "messages": prompt.messages,
            "temperature": self.config.temperature,
            # Hosts that retire this name for max_completion_tokens still take it for chat models.
            "max_tokens": self.config.max_output_tokens,
        }
        if schemas:
            schema = {"name": "answer", "schema": dict(prompt.schema), "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request

    def _read(self, completion: Any) -> Answer:
        """The first choice; a server that sends several meant the same answer."""
        choices = getattr(completion, "choices", None)
        used = getattr(completion, "usage", None)
        usage = Usage(int(used.prompt_tokens or 0), int(used.completion_tokens or 0)) if used else Usage()
        if not choices or getattr(choices[0], "message", None) is None:
            return Answer("", usage)
        text = choices[0].message.content or choices[0].message.refusal or ""
        return Answer(self._blank(text), usage, cut=choices[0].finish_reason == "length")

    def _status_failure(self, error: "openai.APIStatusError", schemas: bool) -> Exception:
        """What an HTTP status means for the job."""
        status, said = error.status_code, f"HTTP {error.status_code}: {self._shown(error)}"
        if status in (401, 403, 404) or (status == 429 and "insufficient_quota" in str(error)):
            return Fatal(said)
        if status in (408, 409, 425, 429) or status >= 500:
            return Transient(said, retry_after=_seconds(error.response.headers))
        if schemas and "response_format" in str(error) + "".join(map(str, [error.body])):
            return _SchemaRefused()
        return Refused(said)

    def _shown(self, error: Exception) -> str:
        return self._blank(str(error))[:_SHOWN]

    def _blank(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key, "***") if self._key else text


class _SchemaRefused(Exception):
    """The server does not take `response_format`."""


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header (a number or an HTTP date), or of `retry-after-ms`."""
    from email.utils import parsedate_to_datetime
    from time import time

    if (milliseconds := headers.get("retry-after-ms")) is not None and milliseconds.replace(".", "", 1).isdigit():
        return float(milliseconds) / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    if value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None
