"""A killed run continues from the newest checkpoint that was written to its end."""

from genrec.run.checkpoints import is_complete, last_complete_checkpoint, remove_checkpoints


def _checkpoint(folder, step, state='{"global_step": 1}'):
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_newest_complete_checkpoint_wins_by_number_not_by_name(tmp_path):
    _checkpoint(tmp_path, 9)
    newest = _checkpoint(tmp_path, 10)
    assert last_complete_checkpoint(tmp_path) == newest


def test_half_written_checkpoints_are_removed(tmp_path):
    good = _checkpoint(tmp_path, 5)
    absent, cut = _checkpoint(tmp_path, 6, None), _checkpoint(tmp_path, 7, '{"global_st')
    assert last_complete_checkpoint(tmp_path) == good
    assert not absent.exists()
    assert not cut.exists()


def test_no_folder_means_no_checkpoint(tmp_path):
    assert last_complete_checkpoint(tmp_path / "absent") is None
    assert not is_complete(tmp_path / "absent")


def test_remove_leaves_other_files(tmp_path):
    _checkpoint(tmp_path, 1)
    (tmp_path / "model.safetensors").write_text("x")
    remove_checkpoints(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
