"""How is a server with OpenAI's interface asked? One chat completion per prompt; vLLM, Ollama and hosts alike."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, Fatal, Prompt
from data_synthesis.engines.client import Connection
from data_synthesis.engines.wire import SchemaRefused, chat_request, read_completion


class ServerEngine:
    """Asks an OpenAI-compatible server.

    Args:
        config: Model, address and sampling.
        timeout: Seconds until a connection is given up.

    Raises:
        ValueError: The variable with the key is empty and the server is OpenAI's own.
    """

    reads_words = True
    remote = True
    at_once = 0

    def __init__(self, config: EngineConfig, timeout: float = 120.0) -> None:
        self.config, self._connection = config, Connection(config, timeout)
        self.name = config.model
        self.max_output_tokens = config.max_output_tokens
        self.settings: Mapping[str, Any] = server_settings(config)
        self._schemas = config.structured != "none"

    def __repr__(self) -> str:
        return f"ServerEngine({self.name!r})"

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers one prompt (see `Engine`)."""
        try:
            return await self._ask(prompt, self._schemas)
        except SchemaRefused:
            if self.config.structured == "schema":
                raise Fatal(f"{self.name} takes no JSON schemas; set --structured none") from None
            self._schemas = False
        return await self._ask(prompt, False)

    async def close(self) -> None:
        """Closes the connections."""
        await self._connection.close()

    async def _ask(self, prompt: Prompt, schemas: bool) -> Answer:
        """One call.

        `post` is the library's door for requests that it has no types for: retries, connections and errors are
        those of `chat.completions.create`, which would walk through the types of every message and answer and
        costs twice as much CPU.
        """
        body = chat_request(self.config, prompt, schemas)
        answer = await self._connection.call(
            lambda client: _completion(client.post("/chat/completions", body=body, cast_to=object)), schemas
        )
        return replace(answer, text=self._connection.blank(answer.text))


async def _completion(call: Any) -> Answer:
    return read_completion(await call)


def server_settings(config: EngineConfig) -> dict[str, Any]:
    """What answers of a server depend on, besides the model and the words."""
    return {
        "engine": "openai",
        "host": urlsplit(config.base_url).hostname or "api.openai.com",
        "temperature": config.temperature,
        "max_output_tokens": config.max_output_tokens,
        "structured": config.structured,
    }
