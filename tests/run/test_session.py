"""A stage skips, resumes, starts anew or refuses; stage.json says which."""

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass

import pytest

from genrec.data.load import content_hash
from genrec.run.arguments import StageArguments, settings_of
from genrec.run.processes import check_processes, first_party_packages
from genrec.run.session import fingerprint, stage_session


@dataclass
class Rated(StageArguments):
    rate: float = 0.1
    hub_token: str | None = None
    eos_token: str | None = None


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


def test_an_unfinished_stage_is_refused_to_another_number_of_processes(tmp_path):
    _interrupt_after_checkpoint_3(tmp_path)
    assert _state(tmp_path, "align")["processes"] == 1
    state = {**_state(tmp_path, "align"), "processes": 2}
    (tmp_path / "align" / "stage.json").write_text(json.dumps(state))
    with (
        pytest.raises(ValueError, match=r"with 2 process.* has 1.*--num_processes 2, or remove the folder"),
        stage_session("align", _arguments(tmp_path)),
    ):
        pass
    assert (tmp_path / "align" / "checkpoint-3").exists()


def test_a_finished_stage_may_run_again_with_another_number_of_processes(tmp_path):
    _finish(tmp_path)
    (tmp_path / "index" / "stage.json").write_text(json.dumps({**_state(tmp_path), "processes": 2}))
    _finish(tmp_path)
    assert _state(tmp_path)["processes"] == 1


def test_an_unfinished_attempt_never_displaces_a_finished_result(tmp_path):
    def abort(rate):
        with stage_session("index", Rated(run_dir=str(tmp_path), rate=rate)) as session:
            (session.folder / "rate.txt").write_text(str(rate))
            raise KeyError("killed")

    _finish(tmp_path)
    for rate in (0.2, 0.3, 0.4):
        with pytest.raises(KeyError):
            abort(rate)
    assert (tmp_path / "index.previous" / "result.txt").read_text() == "index"
    assert (tmp_path / "index.aborted" / "rate.txt").read_text() == "0.3"
    assert (tmp_path / "index" / "rate.txt").read_text() == "0.4"


def test_changed_settings_start_anew(tmp_path):
    _interrupt_after_checkpoint_3(tmp_path)
    state = _state(tmp_path, "align")
    (tmp_path / "align" / "stage.json").write_text(json.dumps({**state, "fingerprint": "another"}))
    with stage_session("align", _arguments(tmp_path)) as session:
        assert session.resume_from is None
        assert not (session.folder / "checkpoint-3").exists()


def _missing_index(tmp_path, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    with (
        pytest.raises(ValueError, match="builds on 'index'") as error,
        stage_session("align", _arguments(tmp_path), after=("index",)),
    ):
        pass
    return str(error.value)


def test_changed_input_files_make_a_result_out_of_date(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("user,item\n1,2\n")
    before = content_hash(table, None)
    assert content_hash(table) == before == content_hash(str(table), "movielens_100k")
    with stage_session("index", _arguments(tmp_path), content=before):
        pass
    with stage_session("index", _arguments(tmp_path, if_done="skip"), content=before) as session:
        assert session.skip
    table.write_text("user,item\n1,3\n")
    with stage_session("index", _arguments(tmp_path, if_done="skip"), content=content_hash(table)) as session:
        assert not session.skip


def test_a_folder_is_hashed_by_names_and_contents_wherever_it_lies(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "parts" / "a.csv").write_text("1")
    assert content_hash(tmp_path / "here") == content_hash(tmp_path / "there") != ""
    (tmp_path / "there" / "parts" / "a.csv").rename(tmp_path / "there" / "parts" / "b.csv")
    assert content_hash(tmp_path / "here") != content_hash(tmp_path / "there")
    assert content_hash("toy", None) == ""


def test_a_missing_predecessor_is_named_with_the_command_of_the_same_system(tmp_path, monkeypatch):
    said = _missing_index(tmp_path, monkeypatch, "recipes/any_align.py")
    assert said.endswith(f"Run: accelerate launch recipes/any_index.py --run_dir {tmp_path}")


@pytest.mark.parametrize("flag", ["--config={}", "--config {}"])
def test_the_command_of_a_predecessor_reads_the_yaml_beside_this_one(tmp_path, monkeypatch, flag):
    (tmp_path / "index.yaml").touch()
    words = flag.format(tmp_path / "align.yaml").split()
    said = _missing_index(tmp_path, monkeypatch, "recipes/any_align.py", *words)
    assert f"recipes/any_index.py --config {tmp_path / 'index.yaml'} --run_dir" in said


def test_outside_a_recipe_a_missing_predecessor_has_no_command(tmp_path, monkeypatch):
    assert "accelerate launch" not in _missing_index(tmp_path, monkeypatch, "notebook.py")


def test_a_predecessor_named_twice_counts_once(tmp_path):
    _finish(tmp_path)
    marks = []
    for after in (("index",), ("index", "index")):
        with stage_session("align", _arguments(tmp_path), after=after):
            pass
        marks.append(_state(tmp_path, "align")["fingerprint"])
    assert marks[0] == marks[1]


def test_a_change_upstream_changes_the_fingerprint():
    assert fingerprint("align", {"a": 1}, ["x"]) != fingerprint("align", {"a": 1}, ["y"])


def test_where_the_run_lies_does_not_change_the_fingerprint():
    assert fingerprint("align", {"a": 1, "run_dir": "r"}, []) == fingerprint("align", {"a": 1, "run_dir": "q"}, [])


def test_the_fingerprint_knows_eos_token_but_no_credential():
    def mark(**kwargs):
        return fingerprint("align", settings_of(Rated(**kwargs)), [])

    assert mark(eos_token="<|im_end|>") != mark()
    assert mark(hub_token="hf_secret") == mark()


def test_every_package_of_the_checkout_logs():
    assert {"genrec", "gream", "data_synthesis"} <= set(first_party_packages())
    assert "torch" not in first_party_packages()


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
