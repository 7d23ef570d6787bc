"""Every shipped YAML of SAGE and LLMRec goes through the parser of its recipe; table overrides are known settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trl import SFTConfig

from genrec.run import parse_stage
from genrec.run.rankers.settings import Bert4recArguments
from genrec.run.table import Step, TableSpec
from gream.settings import AlignArguments as GreamAlign
from gream.settings import CotArguments, IndexArguments
from gream.settings import EvalArguments as GreamEval
from llmrec.generative.settings import AlignArguments, EvalArguments, ReasonsArguments
from sage.rl.config import SageRLConfig
from sage.settings import RLArguments, SftArguments

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "recipes" / "configs"
TYPES: dict[str, tuple[type[Any], ...]] = {
    "sage_sft": (SftArguments, SFTConfig),
    "sage_rl": (RLArguments, SageRLConfig),
    "llmrec_align": (AlignArguments,),
    "llmrec_reasons": (ReasonsArguments, SFTConfig),
    "llmrec_eval": (EvalArguments,),
    "gream_index": (IndexArguments,),
    "gream_cot": (CotArguments,),
    "gream_align": (GreamAlign, SFTConfig),
    "gream_eval": (GreamEval,),
    "bert4rec_train": (Bert4recArguments,),
}
SHIPPED = sorted(path for system in ("sage", "llmrec") for path in (CONFIGS / system).rglob("*.yaml"))
# packed training rows under the settings of these tables
ROWS = {"sage_beauty": 15_011, "sage_ml1m": 8_394, "sage_coldstart10k": 3_117}
TABLES = sorted((CONFIGS / "tables").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: "-".join(p.parts[-3:]))
def test_each_yaml_is_accepted(path: Path) -> None:
    recipe = f"{path.parts[-3]}_{path.stem}"
    arguments, *training = parse_stage(TYPES[recipe], path, argv=[])
    if recipe == "sage_rl":  # else the ratio is 1 for ever, and its bounds do nothing
        assert training[0].steps_per_rollout > 1
    assert arguments.run_dir.startswith(f"runs/{path.parts[-3]}_")


@pytest.mark.parametrize(
    ("recipe", "setting"),
    [("sage_sft", "tiny_ml100k"), ("sage_rl", "tiny_ml100k"), ("llmrec_align", "ml100k"), ("llmrec_eval", "ml100k")],
)
def test_each_recipe_defaults_to_the_small_setting(recipe: str, setting: str) -> None:
    assert f"/{setting}/{recipe.split('_')[1]}.yaml" in (ROOT / "recipes" / f"{recipe}.py").read_text()


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_tables_override_only_settings_that_exist(path: Path) -> None:
    spec = TableSpec.load(path)
    seen: set[Any] = set()
    for arm, steps in spec.arms.items():
        own = [step for step in steps if not step.source]
        for step, words in zip(own, spec.commands(arm, 0, "cpu"), strict=True):
            key = (step.recipe, step.config, json.dumps(dict(step.settings), sort_keys=True))
            if key not in seen:
                seen.add(key)
                _accepted(step, words[8:])


@pytest.mark.parametrize("path", sorted((CONFIGS / "tables").glob("sage_*.yaml")), ids=lambda p: p.stem)
def test_generators_of_other_types_are_plain_and_everybody_is_validated_twenty_times(path: Path) -> None:
    spec = TableSpec.load(path)
    for arm in ("RQ index (GRN type)", "LLM with a token per item (GenLLMRec type)"):
        (step,) = spec.arms[arm]
        assert (step.settings["adaptive"], step.settings["list_weight"]) == (False, 0)
    assert spec.equal_to == "RQ index (GRN type)"
    for arm in spec.arms:
        for words in spec.commands(arm, 0, "cpu"):
            if words[5] == "recipes/sage_sft.py":
                config = ["--config", str(ROOT / words[7])]
                arguments, training = parse_stage(TYPES["sage_sft"], ROOT / words[7], argv=[*config, *words[8:]])
                assert training.max_steps == 20 * arguments.validate_every
                assert training.save_steps % arguments.validate_every == 0  # a checkpoint knows its training seconds
                assert training.max_steps * training.per_device_train_batch_size >= 6 * ROWS[path.stem]


def _accepted(step: Step, words: list[str]) -> None:
    arguments, *_ = parse_stage(
        TYPES[step.recipe], ROOT / step.config, argv=["--config", str(ROOT / step.config), *words]
    )
    assert arguments.if_done == "skip"
