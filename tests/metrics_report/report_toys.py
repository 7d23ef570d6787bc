"""A small run: metrics and figures as the stages write them."""

from __future__ import annotations

from typing import Any


def row(system: str, stage: str, mode: str, seed: int = 0, **figures: Any) -> dict[str, Any]:
    """One row of metrics.json."""
    return {"system": system, "stage": stage, "mode": mode, "seed": seed, **figures}


def direct(system: str, stage: str, ndcg: float, seed: int = 0, **figures: Any) -> dict[str, Any]:
    """A row of direct mode."""
    known = {"Recall@10": 2 * ndcg, "NDCG@10": ndcg, "Recall@50": 5 * ndcg, "invalid": 0, "duplicates": 0}
    return row(system, stage, "direct", seed, **{**known, **figures})


def metrics(**changes: Any) -> dict[str, Any]:
    """A run that went well."""
    made: dict[str, Any] = {
        "title": "GREAM on films",
        "dataset": {"name": "films", "users": 943, "items": 1349, "interactions": 99287},
        "protocol": {
            "split": "leave_one_out",
            "ranking": "full catalogue",
            "max_history": 20,
            "num_beams": 50,
            "loss": "cross-entropy",
            "backbone": "tiny",
        },
        "provenance": {
            "seeds": [0],
            "revision": "1a2b3c4d5e",
            "versions": {"torch": "2.13.0"},
            "seconds": 600.0,
            "peak_memory_gib": 3.4,
            "hardware": "2 cores",
            "command": "make demo",
        },
        "rows": [
            direct("Popularity", "", 0.02),
            direct("SASRec (CE)", "", 0.06),
            direct("GREAM", "align", 0.04),
            direct("GREAM", "srpo", 0.05),
            row("GREAM", "srpo", "reasoning", **{
                "n_users": 128, "n_samples": 4, "Pass@1": 0.03, "Pass@1_low": 0.01, "Pass@1_high": 0.05,
                "Pass@1_own_chain": 0.04, "Pass@1_swapped_chain": 0.01, "format_rate": 0.98, "invalid": 0,
            }),
        ],
        "stages": [
            {"stage": "srpo", "metric": "Pass@1", "before": 0.02, "after": 0.03, "steps": 60, "seconds": 120}
        ],
    }  # fmt: skip
    return {**made, **changes}


def figures() -> dict[str, Any]:
    """Logs, validation, mix, health and one example."""
    return {
        "logs": {"srpo": [{"step": i, "reward": 0.1 * i, "hit_rate": 0.01 * i} for i in range(1, 50)]},
        "validation": {"srpo": [{"step": 0, "Pass@1": 0.02}, {"step": 60, "Pass@1": 0.03}]},
        "curriculum_mix": {"share": [0.0, 0.5, 1.0]},
        "index_health": {
            "hash": "9f3a",
            "levels": [{"size": 256, "used": 250, "usage": 0.98, "perplexity": 128.0}],
            "collision_rate_before": 0.083,
            "items_moved": 64,
            "reconstruction": {"share_of_variance": 0.25},
        },
        "examples": [
            {
                "user": "u1",
                "history": ["Alien", "Heat"],
                "target": "Aliens",
                "stages": {"1": "watched Alien", "3": "wants a sequel"},
                "reasoned": [{"title": "Aliens", "hit": True}, {"title": "Ran", "hit": False}],
                "direct": [{"title": "Seven", "hit": False}],
            }
        ],
    }
