"""Which connection reaches the server? One `openai.AsyncOpenAI` whose failures are ours and hold no key."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Transient
from data_synthesis.engines.wire import SHOWN, failure_of

if TYPE_CHECKING:
    import openai

Result = TypeVar("Result")


class Connection:
    """A client that is made at its first call and never shows its key.

    The key comes from the environment only. It is blanked out of every message and answer, since a server may
    echo what it was sent.

    Args:
        config: Address and the name of the variable with the key.
        timeout: Seconds until a connection is given up.

    Raises:
        ValueError: The variable with the key is empty and the server is OpenAI's own.
    """

    def __init__(self, config: EngineConfig, timeout: float) -> None:
        self._key = os.environ.get(config.api_key_env, "")
        if not self._key and not config.base_url:
            raise ValueError(f"the environment variable {config.api_key_env} is empty; export the key, or set base_url")
        self._base_url, self._timeout = config.base_url, timeout
        self._client: openai.AsyncOpenAI | None = None

    def __repr__(self) -> str:
        return "Connection()"

    async def call(self, use: "Callable[[openai.AsyncOpenAI], Awaitable[Result]]", schemas: bool = False) -> Result:
        """Calls the server.

        Args:
            use: Calls the client it is given.
            schemas: Whether the request carries a JSON schema.

        Raises:
            EngineError, SchemaRefused: The call failed; without the key, and without the origin, whose traceback
                would hold the request with its headers.
        """
        import openai

        failure: Exception
        try:
            return await use(self._connected())
        except openai.APIStatusError as error:
            said = self.blank(f"{error} {error.body or ''}")
            failure = failure_of(error.status_code, said, error.response.headers, schemas)
        except (openai.APITimeoutError, openai.APIConnectionError) as error:
            failure = Transient(f"{type(error).__name__}: {self._shown(error)}", billed=True)
        except openai.APIError as error:
            failure = Transient(f"{type(error).__name__}: {self._shown(error)}")
        except ValueError as error:  # the body is no JSON
            failure = Transient(f"the server sent an unreadable body: {self._shown(error)}", billed=True)
        raise failure

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def blank(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key, "***") if self._key else text

    def _connected(self) -> "openai.AsyncOpenAI":
        """The client, made inside the running event loop; retries are the job's business."""
        if self._client is None:
            import openai

            settings: dict[str, Any] = {"max_retries": 0, "timeout": self._timeout}
            self._client = openai.AsyncOpenAI(api_key=self._key or "none", base_url=self._base_url or None, **settings)
        return self._client

    def _shown(self, error: Exception) -> str:
        return self.blank(str(error))[:SHOWN]
