"""Facts about comparing runs over seeds."""

import json
from pathlib import Path

import numpy as np
import pytest

from genrec.run.rankers.compare import Comparison, comparison_table

SASREC, GRU = Path("configs/sasrec/toy/train.yaml"), Path("configs/gru4rec/toy/train.yaml")


def finish(comparison, config, seed, ranks, dataset="toy"):
    """Leave behind what a run leaves behind."""
    folder = comparison.run_dir(config, seed)
    (folder / "train").mkdir(parents=True)
    np.savez(folder / "train" / "ranks.npz", ranks=np.array(ranks))
    hits = float(np.mean((np.array(ranks) >= 0) & (np.array(ranks) < 10)))
    gains = float(np.mean([1 / np.log2(rank + 2) if 0 <= rank < 10 else 0.0 for rank in ranks]))
    base = {"stage": "", "mode": "direct", "n_users": len(ranks)}
    rows = [
        {"system": "Popularity", "seed": seed, "Recall@10": 0.1, "NDCG@10": 0.05, **base},
        {"system": comparison.system(config), "seed": seed, "Recall@10": hits, "NDCG@10": gains, **base},
    ]
    counts = {"users": len(ranks), "items": 9, "interactions": 40}
    content = {"dataset": {"name": dataset, **counts}, "protocol": {"split": "s", "loss": config.parts[-3]}}
    (folder / "metrics.json").write_text(json.dumps({**content, "provenance": {"seconds": 2.0}, "rows": rows}))


@pytest.fixture
def comparison(tmp_path):
    return Comparison([SASREC, GRU], [0, 1], tmp_path, ["--epochs", "5"])


def test_every_config_runs_with_every_seed_and_the_shared_budget(comparison):
    assert comparison.variants() == [(SASREC, 0), (GRU, 0), (SASREC, 1), (GRU, 1)]
    words = comparison.arguments(GRU, 1)
    assert words[-4:] == ["--epochs", "5", "--seed", "1"]
    assert words[words.index("--run_dir") + 1].endswith("gru4rec_toy_seed1")


def test_the_table_holds_means_spreads_and_the_paired_difference(comparison):
    for seed in (0, 1):
        finish(comparison, SASREC, seed, [0] * 4 + [-1] * 4)
        finish(comparison, GRU, seed, [0] * (6 + 2 * seed) + [-1] * (2 - 2 * seed))
    text = comparison.report().read_text()
    metrics = json.loads((comparison.folder / "metrics.json").read_text())
    # NDCG@10: SASRec 4/8 in both seeds; GRU4Rec 6/8 and 8/8: mean .875, standard deviation .1768, difference +.375
    assert "| gru4rec, gru4rec\\_toy" in text or "| gru4rec, gru4rec_toy" in text
    assert "0.8750 ± 0.1768" in text
    (test,) = metrics["paired"]
    assert test["difference"] == pytest.approx(0.375)
    assert test["low"] > 0 >= -test["p_value"]
    assert test["p_value"] < 0.05
    assert [row["system"] for row in metrics["rows"]].count("Popularity") == 1
    assert metrics["protocol"]["loss"] == "sasrec; gru4rec"
    assert (comparison.folder / "report.html").is_file()


def test_sampled_columns_say_so():
    rows = [{"system": "A", "stage": "", "mode": "direct", "seed": 0, "NDCG@10": 0.1, "NDCG@10_sampled100": 0.4}]
    text = comparison_table(rows, [])
    assert "NDCG@10 (SAMPLED 1 + 100)" in text
    assert "never compare them with full ranking" in text


def test_figures_that_a_system_adds_make_a_second_table():
    rows = [{"system": name, "stage": "", "mode": "direct", "seed": 0, "NDCG@10": 0.1} for name in ("A", "B")]
    assert "CrossCat" not in comparison_table(rows, [])
    rows[1] |= {"CrossCat@10": 0.372, "Completion@10": 0.5}
    text = comparison_table(rows, [])
    assert "| system | CrossCat@10 | Completion@10 |" in text
    assert "| A |  |  |" in text
    assert "| B | 0.3720 | 0.5000 |" in text


def test_what_cannot_be_compared_is_refused(comparison, tmp_path):
    with pytest.raises(ValueError, match="at least two different configs"):
        Comparison([SASREC], [0], tmp_path)
    with pytest.raises(ValueError, match="none twice, got"):
        Comparison([SASREC, GRU], [0, 0], tmp_path)
    for seed in (0, 1):
        finish(comparison, SASREC, seed, [0, 1])
        finish(comparison, GRU, seed, [0, 1], dataset="other")
    with pytest.raises(ValueError, match="the runs differ in dataset"):
        comparison.report()
