"""Every shipped YAML goes through the parser of its recipe; the default one needs no flag."""

from pathlib import Path

import pytest
from trl import SFTConfig

from genrec.run import parse_stage
from gream.settings import (
    AlignArguments,
    CotArguments,
    EvalArguments,
    IndexArguments,
    ReasonArguments,
    SrpoArguments,
)
from gream.srpo.config import SRPOConfig

CONFIGS = Path(__file__).parents[2] / "recipes" / "configs" / "gream"
STAGES = {
    "index": (IndexArguments,),
    "cot": (CotArguments,),
    "align": (AlignArguments, SFTConfig),
    "reason": (ReasonArguments, SFTConfig),
    "srpo": (SrpoArguments, SRPOConfig),
    "eval": (EvalArguments,),
}
SETTINGS = sorted(path.name for path in CONFIGS.iterdir())


def test_the_settings_of_the_readme_are_shipped():
    assert set(SETTINGS) == {
        "tiny_ml100k",
        "tiny_beauty",
        "tiny_games",
        "tiny_ml1m",
        "small_ml100k",
        "smollm2_beauty",
        "smollm2_toy",
        "qwen3_4b_beauty",
        "qwen3_4b_sports",
        "qwen3_4b_instruments",
    }


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("setting", SETTINGS)
def test_each_yaml_is_accepted_and_names_its_own_run(setting, stage):
    overrides = ["--use_cpu", "true", "--bf16", "false"] if len(STAGES[stage]) == 2 else []
    if stage == "srpo":
        overrides += ["--use_vllm", "false"]
    arguments, *_ = parse_stage(STAGES[stage], CONFIGS / setting / f"{stage}.yaml", argv=overrides)
    assert arguments.run_dir == f"runs/{setting}"


@pytest.mark.parametrize("stage", STAGES)
def test_each_recipe_defaults_to_the_small_setting(stage):
    recipe = (CONFIGS.parents[1] / f"gream_{stage}.py").read_text()
    assert f'"configs/gream/tiny_ml100k/{stage}.yaml"' in recipe


def test_the_paper_setting_is_kept():
    _, align = parse_stage(
        STAGES["align"], CONFIGS / "qwen3_4b_beauty" / "align.yaml", argv=["--use_cpu", "true", "--bf16", "false"]
    )
    _, srpo = parse_stage(
        STAGES["srpo"],
        CONFIGS / "qwen3_4b_beauty" / "srpo.yaml",
        argv=["--use_cpu", "true", "--bf16", "false", "--use_vllm", "false"],
    )
    assert (align.learning_rate, align.num_train_epochs, align.max_length) == (5e-5, 3, 2560)
    assert (srpo.learning_rate, srpo.beta, srpo.num_generations, srpo.reward_exponent) == (4e-6, 0.001, 10, 0.5)
