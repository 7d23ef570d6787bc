"""FlexCode's recipe on the toy shop, and GREAM's index stage with `method: flexcode`."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from genrec.run import parse_stage
from genrec.sid.codes import ItemCodes
from gream import GreamRecommender
from gream.prompts import Formatter
from gream.recommend import load_parts
from gream.settings import IndexArguments
from gream.workspace import Workspace

ROOT = Path(__file__).parents[2]
TOY = """--dataset toy --encoder hash --method flexcode --num_levels 4 --codebook_size 16 --sasrec_epochs 2
    --sasrec_hidden 16"""
OPTIONS = '{"latent": 8, "hidden": 32, "epochs": 5, "batch_size": 64}'
TINY = "--hidden_size 32 --num_layers 1 --num_heads 2 --num_kv_heads 1 --intermediate_size 64 --vocab_size 500"


def run_here(recipe: str, run_dir: Path, *more: str) -> None:
    before = sys.argv
    path = ROOT / "recipes" / recipe
    sys.argv = [str(path), "--run_dir", str(run_dir), *TOY.split(), "--code_options", OPTIONS, *more]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


def test_the_shipped_setting_is_accepted() -> None:
    config = ROOT / "recipes/configs/flexcode/ml100k/codes.yaml"
    (arguments,) = parse_stage([IndexArguments], config, argv=[])
    assert arguments.method == "flexcode"
    assert arguments.code_options == {"min_budget": 3, "max_budget": 6, "epochs": 100}


def test_the_recipe_writes_codes_and_the_figures_of_alpha(tmp_path: Path) -> None:
    run_here("flexcode_codes.py", tmp_path)
    folder = tmp_path / "flexcode"
    health = json.loads((folder / "health.json").read_text())
    assert ItemCodes.load(folder).hash == health["hash"]
    assert len(health["alpha_by_popularity"]["groups"]) == 10
    assert json.loads((folder / "stage.json").read_text())["finished"] is True


@pytest.fixture(scope="module")
def gream_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index stage of GREAM with FlexCode's codes."""
    run_dir = tmp_path_factory.mktemp("runs") / "flexcode"
    run_here("gream_index.py", run_dir, *TINY.split())
    return run_dir


def test_gream_recommends_over_such_an_index(gream_run: Path) -> None:
    recommender = GreamRecommender.from_pretrained(gream_run / "index" / "base")
    items = [r.item_id for r in recommender.recommend(recommender.catalogue.item_ids[:3], k=10, mode="direct")]
    assert len(set(items)) == 10
    assert set(items) <= set(recommender.catalogue.item_ids)


def test_gream_reads_back_what_it_writes(gream_run: Path) -> None:
    workspace = Workspace(gream_run)
    parts: Any = load_parts(gream_run / "index" / "base", index=workspace.codes, dtype="float32", device="cpu")
    formatter = Formatter(parts.tokenizer, parts.item_codes, workspace.vocabulary, parts.catalogue, parts.prompt_config)
    for item in range(workspace.codes.num_items):
        text = workspace.vocabulary.text_of(workspace.codes.codes[item])
        assert formatter.parse(f"<think></think><answer>{text}</answer>").codes == workspace.codes.tuple_of(item)
