"""How is a page sent? With a content policy that allows its own inline script and style, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi.responses import HTMLResponse


def html_answer(html: str) -> HTMLResponse:
    """A page and its content policy.

    Args:
        html: A whole page; its `<script>` and `<style>` elements carry no attributes.

    Returns:
        The page, with a policy that allows its own inline script and style by their hashes, calls to this server, and
        nothing else.
    """
    policy = [
        "default-src 'none'", "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
        f"script-src {_hashes('script', html)}", f"style-src {_hashes('style', html)}",
    ]  # fmt: skip
    return HTMLResponse(html, headers={"Content-Security-Policy": "; ".join(policy), "Cache-Control": "no-cache"})


def _hashes(tag: str, html: str) -> str:
    """The hashes of the inline elements of a kind."""
    parts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
