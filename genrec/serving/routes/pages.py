"""What does a browser see? The playground and the API page: static files with a strict content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)


@cache
def page(name: str) -> tuple[str, str]:
    """A static page and its content policy.

    Args:
        name: File in genrec/serving/static.

    Returns:
        The HTML, and a policy that allows its own inline script and style by their hashes, calls to this server, and
        nothing else.
    """
    html = (files("genrec.serving") / "static" / name).read_text(encoding="utf-8")
    policy = [
        "default-src 'none'", "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
        f"script-src {_hashes('script', html)}", f"style-src {_hashes('style', html)}",
    ]  # fmt: skip
    return html, "; ".join(policy)


def _hashes(tag: str, html: str) -> str:
    """The hashes of the inline elements of a kind."""
    parts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


def _serve(name: str) -> HTMLResponse:
    html, policy = page(name)
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"})


@router.get("/")
async def playground() -> HTMLResponse:
    """The playground."""
    return _serve("playground.html")


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The API as a page, made from /openapi.json."""
    return _serve("docs.html")
