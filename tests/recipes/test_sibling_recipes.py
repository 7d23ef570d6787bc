"""SAGE's and LLMRec's recipes from raw data to report, on the toy shop."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from llmrec.generative.cli import main as talk
from sage.recommend import SageRecommender

ROOT = Path(__file__).parents[2]
TINY = "--hidden_size 32 --num_layers 1 --num_heads 2 --intermediate_size 64"
SFT = f"""--dataset toy --encoder hash {TINY} --vocab_size 600 --codebook_size 8 --max_steps 4 --validate_every 2
    --save_steps 2 --baseline_epochs 1 --validation_users 20 --max_users 20"""
RL = """--max_steps 2 --validate_every 2 --save_steps 2 --validation_users 20 --max_users 20
    --per_device_train_batch_size 16"""
ALIGN = "--dataset toy --encoder hash --epochs 2 --baseline_epochs 1 --batch_size 128"
REASONS = f"--max_reasons 40 --max_steps 4 --save_steps 2 {TINY} --vocab_size 1200"
EVAL = "--text_users 3 --list_users 3 --simulated_users 10 --max_new_tokens 8"


def run_here(recipe: str, run_dir: Path, words: str) -> None:
    before = sys.argv
    sys.argv = [str(ROOT / "recipes" / recipe), "--run_dir", str(run_dir), *words.split()]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


def rows_of(run_dir: Path) -> dict[str, dict]:
    return {
        f"{row['system']} {row['stage']}".strip(): row
        for row in json.loads((run_dir / "metrics.json").read_text())["rows"]
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sage_from_raw_data_to_a_recommender_after_rl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run_here("sage_sft.py", tmp_path, SFT)
    run_here("sage_rl.py", tmp_path, RL)
    rows = rows_of(tmp_path)
    assert {"Popularity", "SASRec (CE)", "SAGE sft", "SAGE rl", "SAGE + MMR 0.5 sft", "SAGE + DPP 0.5 rl"} <= set(rows)
    assert {"HR@10_new_users", "HR@10_new_items", "ColdRecall@10", "Div@10", "Entropy@10"} <= set(rows["SAGE rl"])
    assert rows["SAGE sft"]["vocabulary_seconds"] < rows["SAGE sft"]["index_seconds"]
    assert all(row["invalid"] == row["duplicates"] == 0 for row in rows.values())
    shop = SageRecommender.from_pretrained(tmp_path / "rl")
    assert len(shop.recommend(shop.catalogue.item_ids[:2], k=5, diversity=0.5)) == 5
    assert (tmp_path / "rl" / "README.md").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_llmrec_from_raw_data_to_a_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    run_here("llmrec_align.py", tmp_path, ALIGN)
    run_here("llmrec_reasons.py", tmp_path, REASONS)
    run_here("llmrec_eval.py", tmp_path, EVAL)
    rows = rows_of(tmp_path)
    assert {"Popularity", "SASRec (CE)", "LightGCN", "LLMRec align", "rules eval", "attention eval"} <= set(rows)
    assert rows["rules eval"]["reason_accuracy_checked"] == 1.0
    assert rows["attention eval"]["reason_accuracy"] <= rows["rules eval"]["reason_accuracy"]
    assert {"BLEU-4", "ROUGE-L", "HR@5_written", "NDCG@5_checked"} <= set(rows["fine-tuned, both eval"])
    assert rows["rules eval"]["HR@5_written"] == rows["rules eval"]["HR@5_retrieved"]
    head = json.loads((tmp_path / "reasons" / "stage.json").read_text())["facts"]
    assert head["validation_rows"] > 0
    assert head["best_validation_loss"] > 0
    assert "gain_turn3" in rows["feedback: constraints and vector eval"]
    assert (tmp_path / "eval" / "rating.csv").is_file()
    monkeypatch.setattr("sys.stdin", iter(["/quit\n"]))
    assert talk(["--model", str(tmp_path / "align")]) == 0
    assert "1. " in capsys.readouterr().out
    assert talk(["--model", str(tmp_path / "align"), "--history", "nothing like it"]) == 2
    judged = tmp_path / "eval" / "rows.json"
    first = judged.stat().st_mtime_ns
    run_here("llmrec_eval.py", tmp_path, f"{EVAL} --if_done skip")
    assert judged.stat().st_mtime_ns == first  # nothing to do
    run_here("llmrec_reasons.py", tmp_path, f"{REASONS} --head false")
    run_here("llmrec_eval.py", tmp_path, f"{EVAL} --if_done skip")
    assert judged.stat().st_mtime_ns > first  # other reasons are judged anew
    rows = rows_of(tmp_path)
    assert not any("fine-tuned" in name for name in rows)
    assert {"BLEU-4", "choice_accuracy", "HR@5_written"} <= set(rows["rules eval"])  # text quality without a head too
