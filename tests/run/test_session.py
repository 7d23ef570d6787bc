"""A stage skips, resumes, starts anew or refuses; stage.json says which."""

import json
import subprocess
import sys
import textwrap

import pytest

from genrec.run.arguments import StageArguments
from genrec.run.session import check_processes, fingerprint, stage_session


def _arguments(tmp_path, **kwargs):
    return StageArguments(run_dir=str(tmp_path), **kwargs)


def _finish(tmp_path, stage="index", **kwargs):
    with stage_session(stage, _arguments(tmp_path, **kwargs)) as session:
        (session.folder / "result.txt").write_text(stage)
        return session


def _state(tmp_path, stage="index"):
    return json.loads((tmp_path / stage / "stage.json").read_text())


def _interrupt_after_checkpoint_3(tmp_path):
    def work():
        with stage_session("align", _arguments(tmp_path)) as session:
            (session.folder / "checkpoint-3").mkdir()
            (session.folder / "checkpoint-3" / "trainer_state.json").write_text('{"global_step": 3}')
            raise KeyError("killed")

    with pytest.raises(KeyError):
        work()


def test_a_finished_stage_says_so_with_provenance(tmp_path):
    _finish(tmp_path)
    state = _state(tmp_path)
    assert state["finished"] is True
    assert state["provenance"]["versions"]["python"].startswith("3.")


def test_skip_leaves_a_finished_stage_alone(tmp_path):
    _finish(tmp_path)
    with stage_session("index", _arguments(tmp_path, if_done="skip")) as session:
        assert session.skip
    assert (tmp_path / "index" / "result.txt").exists()


def test_rerun_keeps_the_former_result(tmp_path):
    _finish(tmp_path)
    with stage_session("index", _arguments(tmp_path)) as session:
        assert not session.skip
        assert not (session.folder / "result.txt").exists()
    assert (tmp_path / "index.previous" / "result.txt").read_text() == "index"


def test_an_error_leaves_the_stage_unfinished(tmp_path):
    with pytest.raises(KeyError), stage_session("index", _arguments(tmp_path)):
        raise KeyError("x")
    assert _state(tmp_path)["finished"] is False


def test_an_unfinished_stage_with_the_same_settings_resumes(tmp_path):
    _interrupt_after_checkpoint_3(tmp_path)
    with stage_session("align", _arguments(tmp_path)) as session:
        assert session.resume_from == tmp_path / "align" / "checkpoint-3"


def test_changed_settings_start_anew(tmp_path):
    _interrupt_after_checkpoint_3(tmp_path)
    state = _state(tmp_path, "align")
    (tmp_path / "align" / "stage.json").write_text(json.dumps({**state, "fingerprint": "another"}))
    with stage_session("align", _arguments(tmp_path)) as session:
        assert session.resume_from is None
        assert not (session.folder / "checkpoint-3").exists()


def test_a_missing_predecessor_is_named_with_its_command(tmp_path):
    with (
        pytest.raises(ValueError, match=r"recipes/gream_index\.py"),
        stage_session("align", _arguments(tmp_path), after=("index",)),
    ):
        pass


def test_a_change_upstream_changes_the_fingerprint():
    assert fingerprint("align", {"a": 1}, ["x"]) != fingerprint("align", {"a": 1}, ["y"])


def test_where_the_run_lies_does_not_change_the_fingerprint():
    assert fingerprint("align", {"a": 1, "run_dir": "r"}, []) == fingerprint("align", {"a": 1, "run_dir": "q"}, [])


def test_two_processes_cannot_work_in_one_stage(tmp_path):
    code = f"""
    from genrec.run import StageArguments, stage_session
    with stage_session("index", StageArguments(run_dir={str(tmp_path)!r})):
        pass
    """
    with stage_session("index", _arguments(tmp_path)):
        other = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert other.returncode != 0
    assert "another process is working" in other.stderr


def test_isolated_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="do not see each other"):
        _check_with_one_process(monkeypatch)


def _check_with_one_process(monkeypatch):
    import accelerate

    monkeypatch.setattr(accelerate, "PartialState", lambda: type("State", (), {"num_processes": 1})())
    check_processes()
