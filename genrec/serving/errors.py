"""What does a refused request get? One JSON shape with a reason that programs can read.

`{"error": {"message", "type", "code", "param", "request_id"}}`: the shape of OpenAI's API, so its client understands
it. No stack trace and nothing of the request's text leaves the process.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from genrec.serving.door import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)
LONGEST_PLACE = 100
CODES_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "not_json"}


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: HTTP status.
        code: Machine-readable reason, e.g. "unknown_item".
        message: What is wrong and what to do; no user text beyond what the caller needs.
        param: Field of the request, e.g. "history.2".
        retry_after: Seconds until a new try makes sense (429, 503).
        details: Further machine-readable facts.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after, self.details = retry_after, dict(details or {})

    def body(self, request_id: str = "") -> dict[str, Any]:
        """The JSON body."""
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        kind = "overloaded_error" if self.status == 429 else kind
        return {
            "error": {
                "message": self.message, "type": kind, "code": self.code, "param": self.param,
                "request_id": request_id, **({"details": self.details} if self.details else {}),
            }
        }  # fmt: skip

    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds where it is known."""
        return {} if self.retry_after is None else {"Retry-After": str(max(1, math.ceil(self.retry_after)))}

    def response(self, request_id: str = "") -> JSONResponse:
        """Status, body and headers."""
        return JSONResponse(self.body(request_id), self.status, self.headers())


def unavailable(error: UpstreamError) -> ApiError:
    """What a caller is told when a model server fails: 503, come back in a second."""
    return ApiError(503, error.code, error.message, retry_after=1.0)


def request_id_of(request: Request) -> str:
    """The id that the guard gave to this request."""
    return str(request.scope.get("request_id", ""))


def from_validation(error: RequestValidationError) -> ApiError:
    """Name the first field that does not fit; what was sent is not repeated."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    place = place[:LONGEST_PLACE].encode("utf-8", "replace").decode()  # a key of the body may be any text
    if first["type"] == "json_invalid":
        return ApiError(400, "not_json", "the body is not JSON; send an object with Content-Type: application/json")
    message = f"{place or 'the body'}: {first['msg']}"
    return ApiError(422, f"invalid_{first['type']}", message, place or None, details={"errors": len(error.errors())})


def add_handlers(app: FastAPI) -> None:
    """Give every failure the one shape."""

    async def api_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return error.response(request_id_of(request))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return from_validation(error).response(request_id_of(request))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = "not_json" if error.status_code == 400 else CODES_OF_STATUS.get(error.status_code, "refused")
        answer = ApiError(error.status_code, code, str(error.detail)).response(request_id_of(request))
        answer.headers.update(error.headers or {})
        return answer

    async def upstream(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, UpstreamError)
        return unavailable(error).response(request_id_of(request))

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(UpstreamError, upstream)
