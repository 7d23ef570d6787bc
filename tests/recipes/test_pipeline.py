"""All stages on the toy shop, as typed: what they leave behind, and what a kill -9 changes (nothing)."""

import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from gream import GreamRecommender
from gream.workspace import Workspace, training_pairs

ROOT = Path(__file__).parents[2]
FLAGS = {
    "index": """--dataset toy --encoder hash --num_levels 2 --codebook_size 16 --hidden_size 32 --num_layers 1
        --num_heads 2 --num_kv_heads 1 --intermediate_size 64 --vocab_size 500 --sasrec_epochs 2
        --sasrec_hidden 16""",
    "cot": "--max_chains 120 --per_user 1",
    "align": """--max_steps 9 --validate_every 4 --save_steps 3 --validation_users 16 --num_beams 5
        --per_device_train_batch_size 16 --text_repeats 0.5 --swap_share 0.2 --teacher_share 0.4
        --report_to tensorboard""",
    "reason": """--epochs 2 --align_rows 32 --save_steps 4 --validate_every 6 --validation_users 8
        --validation_samples 2 --per_device_train_batch_size 16 --max_new_tokens 48""",
    "srpo": """--max_steps 4 --save_steps 2 --validate_every 3 --num_generations 4 --per_device_train_batch_size 8
        --bonus_k 2 --max_prompts 24 --validation_users 8 --validation_samples 2 --max_new_tokens 48
        --max_completion_length 48""",
    "eval": "--num_beams 10 --reasoning_users 6 --reasoning_samples 2 --max_new_tokens 48",
}


def command(stage, run_dir, *more):
    return [str(ROOT / "recipes" / f"gream_{stage}.py"), "--run_dir", str(run_dir), *FLAGS[stage].split(), *more]


def run_here(stage, run_dir, *more):
    """The recipe in this process: the same code, without the seconds that importing torch takes."""
    before = sys.argv
    sys.argv = command(stage, run_dir, *more)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "toy"
    for stage in FLAGS:
        run_here(stage, run_dir)
    return run_dir


def rows_of(run_dir):
    return json.loads((run_dir / "metrics.json").read_text())["rows"]


def test_the_table_holds_all_stages_and_both_baselines(toy_run):
    found = {(row["system"], row["stage"], row["mode"]) for row in rows_of(toy_run)}
    assert found == {
        ("Popularity", "", "direct"),
        ("SASRec (CE)", "", "direct"),
        ("GREAM", "align", "direct"),
        ("GREAM", "reason", "direct"),
        ("GREAM", "reason", "reasoning"),
        ("GREAM", "srpo", "direct"),
        ("GREAM", "srpo", "reasoning"),
    }


def test_no_list_holds_an_invalid_item_or_a_duplicate(toy_run):
    listed = [row for row in rows_of(toy_run) if row["mode"] == "direct"]
    assert [(row["invalid"], row["duplicates"]) for row in listed] == [(0, 0)] * 5


def test_every_test_user_is_judged(toy_run):
    users = Workspace(toy_run).dataset.num_users
    assert {row["n_users"] for row in rows_of(toy_run) if row["mode"] == "direct"} == {users}


def test_the_report_is_one_file_with_plots(toy_run):
    page = (toy_run / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (toy_run / "report.md").read_text().strip()


def test_provenance_names_revision_versions_and_hardware(toy_run):
    origin = json.loads((toy_run / "metrics.json").read_text())["provenance"]
    assert origin["versions"]["trl"]
    assert "cores" in origin["hardware"]
    assert origin["settings"]["srpo"]["num_generations"] == 4


def test_ranks_of_the_last_stage_are_kept_for_paired_tests(toy_run):
    kept = np.load(toy_run / "eval" / "ranks.npz")
    direct = [row for row in rows_of(toy_run) if row["stage"] == "srpo" and row["mode"] == "direct"]
    assert len(kept["ranks"]) == len(kept["users"])
    assert ((kept["ranks"] >= 0) & (kept["ranks"] < 10)).mean() == pytest.approx(direct[0]["Recall@10"])


def test_the_wall_time_of_a_run_counts_its_evaluation(toy_run):
    training = [json.loads((toy_run / s / "stage.json").read_text())["seconds"] for s in FLAGS if s != "eval"]
    total = json.loads((toy_run / "metrics.json").read_text())["provenance"]["seconds"]
    assert total > sum(training) + 0.1


@pytest.mark.parametrize("mode", ["direct", "reasoning", "mixed"])
def test_the_trained_folder_recommends_in_every_mode(toy_run, mode):
    recommender = GreamRecommender.from_pretrained(toy_run / "srpo")
    history = recommender.catalogue.item_ids[:3]
    items = [r.item_id for r in recommender.recommend(history, k=5, mode=mode)]
    assert len(set(items)) == 5
    assert set(items) <= set(recommender.catalogue.item_ids)


def test_rl_prompts_never_hold_validation_or_test_items(toy_run):
    split = Workspace(toy_run).split
    allowed = {(tuple(h[:t]), h[t]) for h in (u.tolist() for u in split.train) for t in range(2, len(h))}
    pairs = training_pairs(split, 200, seed=0)
    assert len(pairs) == 200
    assert {(tuple(history), target) for history, target in pairs} <= allowed


def test_a_finished_stage_is_skipped_on_request(toy_run):
    written = (toy_run / "align" / "model.safetensors").stat().st_mtime_ns
    run_here("align", toy_run, "--if_done", "skip")
    assert (toy_run / "align" / "model.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize("stage", ["index", "align", "reason", "srpo", "eval"])
def test_estimate_prints_time_and_memory_and_changes_nothing(toy_run, stage, capsys):
    before = (toy_run / stage / "stage.json").read_bytes()
    run_here(stage, toy_run, "--estimate", "true")
    said = capsys.readouterr().out
    assert "GiB" in said
    assert "FLOPs" in said
    assert (toy_run / stage / "stage.json").read_bytes() == before


def weights(folder):
    return load_file(folder / "model.safetensors")


KILLED_AT = {
    "index": "sasrec/state/fit_state.pt",
    "align": "checkpoint-3/trainer_state.json",
    "reason": "checkpoint-4/trainer_state.json",
    "srpo": "checkpoint-2/trainer_state.json",
    "eval": "rows/align.json",
}


@pytest.fixture
def killed(toy_run, tmp_path):
    """Copies the run, starts a stage anew, kills it -9 as soon as a file appears, and returns the copy."""

    def kill(stage):
        copy = tmp_path / "toy"
        shutil.copytree(toy_run, copy)
        shutil.rmtree(copy / stage)
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, *command(stage, copy)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        wait_for(copy / stage / KILLED_AT[stage], process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert json.loads((copy / stage / "stage.json").read_text())["finished"] is False
        return copy

    return kill


def wait_for(path, process, seconds=180):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


@pytest.mark.parametrize("stage", ["align", "reason", "srpo"])
def test_a_killed_training_ends_with_the_weights_of_an_uninterrupted_one(toy_run, killed, stage):
    run_dir = killed(stage)
    run_here(stage, run_dir)
    expected, found = weights(toy_run / stage), weights(run_dir / stage)
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    scores = [json.loads((folder / stage / "validation.json").read_text()) for folder in (toy_run, run_dir)]
    assert scores[0] == scores[1]
    logs = [(folder / stage / "log.jsonl").read_text().splitlines() for folder in (toy_run, run_dir)]
    steps = [[json.loads(line)["step"] for line in log] for log in logs]
    assert steps[0] == steps[1]


def test_a_killed_index_stage_ends_with_the_same_index_and_model(toy_run, killed):
    run_dir = killed("index")
    run_here("index", run_dir)
    assert Workspace(run_dir).codes.hash == Workspace(toy_run).codes.hash
    expected, found = weights(toy_run / "index" / "base"), weights(run_dir / "index" / "base")
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_a_killed_evaluation_ends_with_the_same_rows(toy_run, killed):
    run_dir = killed("eval")
    run_here("eval", run_dir)
    clock = {"seconds", "users_per_second", "chains_per_second", "tokens_per_second"}
    plain = [[{k: v for k, v in row.items() if k not in clock} for row in rows_of(d)] for d in (toy_run, run_dir)]
    assert plain[0] == plain[1]


def test_report_to_reaches_the_tracker(toy_run):
    assert list((toy_run / "align").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize("stage", ["align", "srpo"])
def test_a_lora_stage_leaves_plain_weights(toy_run, tmp_path, stage):
    run_dir = tmp_path / "toy"
    shutil.copytree(toy_run, run_dir)
    constraint = ["--answer_constraint", "trie"] if stage == "srpo" else []
    run_here(stage, run_dir, "--use_lora", "true", "--learning_rate", "0.01", *constraint)
    found = weights(run_dir / stage)
    assert set(found) == set(weights(toy_run / stage))
    assert not any("lora" in name for name in found)
    recommender = GreamRecommender.from_pretrained(run_dir / stage)
    assert len(recommender.recommend(recommender.catalogue.item_ids[:2], k=3)) == 3


def test_two_processes_train_a_stage_and_write_it_once(toy_run, tmp_path):
    run_dir = tmp_path / "toy"
    shutil.copytree(toy_run, run_dir)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0"]
    launch += ["--config_file", str(ROOT / "accelerate_configs" / "cpu_2proc.yaml")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true"}
    environment["PYTHONFAULTHANDLER"] = "1"  # an abort says where
    more = ["--max_steps", "2", "--validate_every", "0", "--save_steps", "2"]
    done = subprocess.run([*launch, *command("align", run_dir, *more)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr  # all of it: what went wrong stands far above the launcher's summary
    state = json.loads((run_dir / "align" / "stage.json").read_text())
    assert (state["finished"], state["processes"], state["facts"]["steps"]) == (True, 2, 2)
    GreamRecommender.from_pretrained(run_dir / "align")
