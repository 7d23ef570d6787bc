"""What does a browser see? The playground and the API page: static files with a strict content policy."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from genrec.serving.html import html_answer

router = APIRouter(include_in_schema=False)


def _serve(name: str) -> HTMLResponse:
    return html_answer((files("genrec.serving") / "static" / name).read_text(encoding="utf-8"))


@router.get("/")
async def playground() -> HTMLResponse:
    """The playground."""
    return _serve("playground.html")


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The API as a page, made from /openapi.json."""
    return _serve("docs.html")
