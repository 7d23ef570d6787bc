"""The model card beside a checkpoint."""

from __future__ import annotations

import shutil

import pytest
import yaml

from gream.model_card import base_of, front_matter, write_model_card


def read_card(path):
    _, block, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(block), body


def test_the_front_matter_is_what_the_hub_reads(toy_folder, tmp_path):
    shutil.copytree(toy_folder, tmp_path / "m")
    rows = [{"mode": "direct", "Recall@10": 0.0412, "NDCG@10": 0.02, "n_users": 943}]
    path = write_model_card(tmp_path / "m", rows, dataset={"name": "films", "users": 943}, base_model="org/base")
    block, body = read_card(path)
    assert block["library_name"] == "transformers"
    assert block["base_model"] == "org/base"
    assert block["datasets"] == ["films"]
    assert block["metrics"] == ["Recall@10", "NDCG@10"]
    assert "| direct | 0.0412 | 0.0200 | 943 |" in body
    assert "films (943 users)" in body


def test_a_card_without_figures_says_that_nothing_is_judged(toy_folder, tmp_path):
    shutil.copytree(toy_folder, tmp_path / "m")
    block, body = read_card(write_model_card(tmp_path / "m"))
    assert "base_model" not in block
    assert "Not judged yet" in body
    assert "stage toy" in body


def test_only_a_pretrained_backbone_is_a_base_model():
    assert base_of("tiny") is None
    assert base_of("smollm2") == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert base_of("Qwen/Qwen3-4B") == "Qwen/Qwen3-4B"
    assert base_of("./models/mine") is None
    assert base_of("") is None


def test_names_with_yaml_marks_stay_text():
    block = yaml.safe_load(front_matter("a: [b]", "org/x", licence="apache-2.0").strip("-\n"))
    assert block["datasets"] == ["a: [b]"]
    assert block["license"] == "apache-2.0"


def test_a_card_needs_a_recommender_folder(tmp_path):
    with pytest.raises(ValueError, match=r"gream\.json"):
        write_model_card(tmp_path)
