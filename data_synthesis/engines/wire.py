"""What does OpenAI's chat interface look like on the wire? Request, answer and failure, for live calls and batches."""

from collections.abc import Mapping
from typing import Any

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, Fatal, Prompt, Refused, Transient, Usage

SHOWN = 300  # characters of a server's message that reach a log


class SchemaRefused(Exception):
    """The server does not take `response_format`."""


def chat_request(config: EngineConfig, prompt: Prompt, schemas: bool) -> dict[str, Any]:
    """The body of one chat completion.

    Args:
        config: Model and sampling.
        prompt: The question.
        schemas: Whether the server is to enforce the prompt's JSON schema.
    """
    request: dict[str, Any] = {
        "model": config.model,
        "messages": prompt.messages,
        "temperature": config.temperature,
        # Hosts that retire this name for max_completion_tokens still take it for chat models.
        "max_tokens": config.max_output_tokens,
    }
    if schemas and prompt.schema:
        schema = {"name": "answer", "schema": dict(prompt.schema), "strict": True}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    return request


def read_completion(body: Any) -> Answer:
    """The first choice of a completion; a server that sends several meant the same answer.

    Args:
        body: Parsed JSON. What is missing or of another type counts as an empty answer.

    Raises:
        ValueError: The body is no JSON object.
    """
    if not isinstance(body, dict):
        raise ValueError(f"the server sent no JSON object but {str(body)[:80]!r}")
    used = _mapping(body.get("usage"))
    usage = Usage(_count(used.get("prompt_tokens")), _count(used.get("completion_tokens")))
    choices = body.get("choices")
    first = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = _mapping(first.get("message"))
    text = message.get("content") or message.get("refusal") or ""
    return Answer(text if isinstance(text, str) else "", usage, cut=first.get("finish_reason") == "length")


def failure_of(status: int, said: str, headers: Mapping[str, str], schemas: bool) -> Exception:
    """What an HTTP status means for the job.

    Args:
        status: The status.
        said: The server's message, without the key.
        headers: Of the response; they may ask for a pause.
        schemas: Whether the request carried a JSON schema.

    Returns:
        `Fatal`, `Transient`, `Refused` or `SchemaRefused`.
    """
    shown = f"HTTP {status}: {said[:SHOWN]}"
    if status in (401, 403, 404) or (status == 429 and "insufficient_quota" in said):
        return Fatal(shown)
    if status in (408, 409, 425, 429) or status >= 500:
        return Transient(shown, retry_after=wait_seconds(headers))
    if schemas and "response_format" in said:
        return SchemaRefused()
    return Refused(shown)


def wait_seconds(headers: Mapping[str, str]) -> float | None:
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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
