"""What others get: a folder that `datasets` reads, the same on the hub, and a card that says where it comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from data_synthesis.cli import WRONG_INPUT, main
from data_synthesis.job import statistics_path
from genrec.data.chains import read_chains


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    out = tmp_path / "c.jsonl"
    assert main(["cot", "--data", "toy", "--out", str(out), "--max_chains", "6", "--quiet"]) == 0
    return out


class Hub:
    """Stands for `huggingface_hub.HfApi`: keeps what it is given."""

    calls: list[tuple[str, dict[str, Any]]]

    def __init__(self) -> None:
        Hub.calls = []

    def create_repo(self, repo_id: str, **words: Any) -> str:
        Hub.calls.append(("create_repo", {"repo_id": repo_id, **words}))
        return f"https://hub.example/datasets/{repo_id}"

    def upload_folder(self, *, folder_path: str, **words: Any) -> None:
        files = {p.relative_to(folder_path).as_posix(): p.read_bytes() for p in Path(folder_path).rglob("*.*")}
        Hub.calls.append(("upload_folder", {**words, "files": files}))


def test_hub_gets_the_files_of_the_folder_and_stays_private(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert main(["push", str(finished), "--to", "hub:me/chains"]) == 0
    (created, repository), (uploaded, content) = Hub.calls
    assert (created, uploaded) == ("create_repo", "upload_folder")
    assert repository == {"repo_id": "me/chains", "repo_type": "dataset", "private": True, "exist_ok": True}
    assert main(["push", str(finished), "--to", str(tmp_path / "folder")]) == 0
    local = {p.relative_to(tmp_path / "folder").as_posix(): p for p in (tmp_path / "folder").rglob("*.*")}
    assert content["files"] == {name: path.read_bytes() for name, path in local.items()}
    assert content["repo_id"] == "me/chains"
    assert content["repo_type"] == "dataset"
    assert "https://hub.example/datasets/me/chains" in caplog.text
    assert main(["push", str(finished), "--to", "hub:me/chains", "--public"]) == 0
    assert Hub.calls[0][1]["private"] is False


def test_hub_gets_nothing_that_is_unfinished(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Hub.calls = []
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    statistics_path(finished).unlink()
    assert main(["push", str(finished), "--to", "hub:me/chains"]) == WRONG_INPUT
    assert Hub.calls == []


def test_card_names_model_parameters_prompts_and_rejects(finished: Path, tmp_path: Path) -> None:
    path = statistics_path(finished)
    facts = json.loads(path.read_text())
    facts |= {"teacher": "a-model", "prompts_sha256": "ab" * 32, "rejected_attempts": {"leak_title": 7}}
    facts["engine"] = {"engine": "openai", "temperature": 0.7, "max_output_tokens": 400}
    path.write_text(json.dumps(facts))
    assert main(["push", str(finished), "--to", str(tmp_path / "set")]) == 0
    card = (tmp_path / "set" / "README.md").read_text()
    for said in ("a-model", "ab" * 32, '"temperature": 0.7', '"max_output_tokens": 400', "| leak_title | 7 |"):
        assert said in card


def test_folder_reads_as_a_dataset(finished: Path, tmp_path: Path) -> None:
    assert main(["push", str(finished), "--to", str(tmp_path / "set")]) == 0
    from datasets import load_dataset

    loaded = load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 6
    assert loaded[0]["behaviour"] == read_chains(finished)[0].behaviour
    finished.write_text(finished.read_text() + "\n")
    assert main(["push", str(finished), "--to", str(tmp_path / "other")]) == WRONG_INPUT
