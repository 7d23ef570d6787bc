"""OpenAI's Batch API for the local server: files, batches that take a few looks, and lines that fail."""

import json
import random
from typing import Any

from aiohttp import web


class Batches:
    """Uploaded files and batches.

    Args:
        server: Shares its log, its options and its way of answering.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{id}/content", self.content)
        app.router.add_post("/v1/batches", self.create)
        app.router.add_get("/v1/batches", self.list)
        app.router.add_get("/v1/batches/{id}", self.retrieve)

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        return web.json_response(self._file(form["file"].file.read(), "batch"))  # type: ignore[union-attr]

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(body=self.files[request.match_info["id"]], content_type="application/octet-stream")

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["endpoint"] == "/v1/chat/completions"
        number = len(self.batches)
        ends = self.server.options.batch_ends
        batch = {
            "id": f"batch_{number}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"],
            "created_at": 0,
            "status": "validating",
            "end": ends[number] if number < len(ends) else "completed",
        }
        self.batches[batch["id"]] = batch
        return web.json_response(batch)

    async def list(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": list(self.batches.values()), "has_more": False})

    async def retrieve(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["id"]]
        self.looks[batch["id"]] = self.looks.get(batch["id"], 0) + 1
        if self.looks[batch["id"]] >= self.server.options.polls and "output_file_id" not in batch:
            self._finish(batch)
        elif "output_file_id" not in batch:
            batch["status"] = "in_progress"
        return web.json_response(batch)

    def _finish(self, batch: dict[str, Any]) -> None:
        """Answers the lines: all of them, or the first half where the batch expires, or none where it fails."""
        batch["status"] = batch["end"]
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        if batch["end"] == "failed":
            batch |= {"output_file_id": None, "errors": {"object": "list", "data": [{"message": "bad model"}]}}
            return
        lines = lines[: len(lines) // 2] if batch["end"] != "completed" else lines
        answered = [self._answer(line) for line in lines]
        good = [line for line in answered if line["response"]["status_code"] == 200]
        bad = [line for line in answered if line["response"]["status_code"] != 200]
        batch["output_file_id"] = self._file(_joined(good), "batch_output")["id"]
        batch["error_file_id"] = self._file(_joined(bad), "batch_output")["id"] if bad else None

    def _answer(self, line: dict[str, Any]) -> dict[str, Any]:
        from misbehaving_server import answer_to, completion_body

        options, subject = self.server.options, line["body"]["messages"][1]["content"]
        self.server.asked[subject] += 1
        rng = random.Random(f"{options.seed}|{subject}|{self.server.asked[subject]}")
        mode = rng.choice(["rate_limit", "error", "invalid_json"]) if rng.random() < options.failures else "good"
        self.server.log.append({"subject": subject, "mode": mode})
        status = {"rate_limit": 429, "error": 500}.get(mode, 200)
        if options.no_schemas and "response_format" in line["body"]:
            status = 400
        body: dict[str, Any] = {"error": {"message": "response_format is not supported" if status == 400 else "oops"}}
        if status == 200:
            body = completion_body('{"description": "no end' if mode == "invalid_json" else answer_to(line["body"]))
        response = {"status_code": status, "request_id": "r", "body": body}
        return {"id": "x", "custom_id": line["custom_id"], "response": response, "error": None}

    def _file(self, data: bytes, purpose: str) -> dict[str, Any]:
        name = f"file-{len(self.files)}"
        self.files[name] = data
        size = len(data)
        return {
            "id": name,
            "object": "file",
            "bytes": size,
            "created_at": 0,
            "filename": "requests.jsonl",
            "purpose": purpose,
            "status": "processed",
        }


def _joined(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()
