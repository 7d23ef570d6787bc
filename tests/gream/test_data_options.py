"""What a recipe is told about the data reaches the loader, and every later stage follows the run's split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.data import DataError
from genrec.data.files import write_json
from genrec.data.texts import TextRecord, write_rows
from genrec.run import parse_stage
from gream.building import estimate_index, load_data
from gream.encoder_cost import EncoderCost, IndexEstimate, encoder_cost
from gream.settings import IndexArguments
from gream.workspace import Workspace

COLUMNS = '{"user_id": "customer", "item_id": "sku", "timestamp": "bought_at", "rating": "stars", "title": "name"}'


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six customers who buy five things each, a day apart; the third purchase has one star."""
    rows = ["customer,sku,bought_at,stars"]
    rows += [f"c{u},s{(u + t) % 7},{86_400 * (5 * u + t)},{1 if t == 2 else 5}" for u in range(6) for t in range(5)]
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(rows) + "\n")
    (tmp_path / "products.csv").write_text("sku,name\n" + "".join(f"s{i},Thing {i}\n" for i in range(7)))
    return path


def index_arguments(tmp_path: Path, yaml: str = "", *flags: str) -> IndexArguments:
    """As the recipe parses them."""
    config = tmp_path / "index.yaml"
    config.write_text(f"run_dir: {tmp_path}/run\n{yaml}")
    (arguments,) = parse_stage([IndexArguments], config, argv=["--config", str(config), *flags])
    return arguments


def test_a_table_with_its_own_column_names_goes_through(table, tmp_path):
    items = str(table.with_name("products.csv"))
    arguments = index_arguments(tmp_path, "", "--dataset", str(table), "--columns", COLUMNS, "--items", items)
    dataset = load_data(arguments)
    assert (dataset.num_users, dataset.num_items) == (6, 7)
    assert set(dataset.catalogue.titles) == {f"Thing {i}" for i in range(7)}
    arguments.min_rating = 2.0
    assert load_data(arguments).num_interactions == 6 * 4


def test_columns_are_a_mapping_in_yaml_too(table, tmp_path):
    yaml = f"dataset: {table}\ncolumns:\n  user_id: customer\n  item_id: sku\n  timestamp: bought_at\n"
    arguments = index_arguments(tmp_path, yaml + "split: by_time\nmin_rating: 1.5\non_error: skip\n")
    assert arguments.columns == {"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"}
    assert (arguments.split, arguments.min_rating, arguments.on_error) == ("by_time", 1.5, "skip")
    assert load_data(arguments).num_users == 6


def test_bad_rows_stop_the_load_or_are_left_out(table, tmp_path, monkeypatch):
    monkeypatch.setenv("GREAM_CACHE", str(tmp_path / "cache"))
    table.write_text(table.read_text() + "c9,,100,5\n")
    flags = ["--dataset", str(table), "--columns", COLUMNS.replace(', "title": "name"', "")]
    with pytest.raises(DataError, match="line 32"):
        load_data(index_arguments(tmp_path, "", *flags))
    assert load_data(index_arguments(tmp_path, "", *flags, "--on_error", "skip")).num_users == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": "{user_id"}, "write a mapping as JSON"),
        ({"columns": "[1]"}, "write a mapping as JSON"),
        ({"columns": {"user_id": 3}}, "write a mapping as JSON"),
        ({"columns": {"customer": "user_id"}}, "columns maps customer, but can map only user_id"),
        ({"split": "random"}, "split is 'random'; it must be one of leave_one_out, by_time"),
        ({"on_error": "ignore"}, "on_error is 'ignore'; it must be one of raise, skip"),
    ],
)
def test_wrong_data_options_are_refused_with_the_remedy(settings, message):
    with pytest.raises(ValueError, match=message):
        IndexArguments(**settings)


def test_the_workspace_returns_the_split_of_the_run(tmp_path):
    dataset = load_data(index_arguments(tmp_path, "dataset: toy\nsplit: by_time\n"))
    dataset.save(tmp_path / "index" / "data")
    assert Workspace(tmp_path).split.kind == "leave_one_out"  # a run from before split.json
    write_json(tmp_path / "index" / "split.json", {"kind": "by_time"})
    split, expected = Workspace(tmp_path).split, dataset.split("by_time")
    assert split.kind == "by_time"
    assert np.array_equal(split.test.targets, expected.test.targets)
    assert [len(history) for history in split.train] == [len(history) for history in expected.train]


def test_an_encoder_costs_two_flops_per_parameter_and_token():
    encoder = EncoderCost("minilm", parameters=10, tokens=7)
    whole = IndexEstimate(3, 5, 0, flops_per_second=1.0, memory_gib=0.0, encoder=encoder)
    assert encoder.flops == 2 * 10 * 7
    assert whole.flops == 6 * 3 * 5 + 2 * 10 * 7
    assert whole.seconds == pytest.approx(whole.flops / 0.6)


def test_an_encoder_folder_is_counted_without_its_weights(tmp_path, toy_folder):
    cost = encoder_cost(f"hf:{toy_folder}", ["Alien", "Heat"])
    assert cost.known
    assert cost.parameters > 1000
    assert cost.tokens >= 2


def test_an_encoder_that_is_not_here_is_said_to_be_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("GREAM_CACHE", str(tmp_path))
    for spec in ("minilm", f"hf:{tmp_path}/nothing", "sentence-transformers/not-on-this-machine"):
        assert "not counted: its model is not on this machine" in str(encoder_cost(spec, ["a"]))


def test_the_estimate_names_the_encoder(tmp_path):
    arguments = index_arguments(tmp_path, "dataset: toy\nencoder: hash\n")
    assert "encoder hash has no model to run" in str(estimate_index(load_data(arguments), arguments))


def test_options_of_a_learner_are_a_mapping_or_json():
    assert IndexArguments(code_options='{"epochs": 5}').code_options == {"epochs": 5}
    assert IndexArguments(code_options={"update": "ema"}).code_options == {"update": "ema"}
    assert IndexArguments().code_options is None


@pytest.mark.parametrize("value", ["{epochs", "[1]", 3])
def test_options_that_are_no_mapping_are_refused(value):
    with pytest.raises(ValueError, match="write a mapping as JSON"):
        IndexArguments(code_options=value)


def test_written_descriptions_replace_those_of_the_catalogue(tmp_path):
    path = tmp_path / "items.jsonl"
    write_rows(path, [TextRecord("items", "T0001", {"description": "A rewritten thing."}, teacher="m")])
    before = load_data(index_arguments(tmp_path, "dataset: toy\n")).catalogue
    after = load_data(index_arguments(tmp_path, f"dataset: toy\ndescriptions: {path}\n")).catalogue
    assert after.text(1).endswith("A rewritten thing.")
    assert before.text(1) != after.text(1)
    assert [before.text(i) for i in range(2, 9)] == [after.text(i) for i in range(2, 9)]
    write_rows(path, [TextRecord("items", "no such item", {"description": "x"})])
    with pytest.raises(DataError, match="no such item"):
        load_data(index_arguments(tmp_path, f"dataset: toy\ndescriptions: {path}\n"))
    write_rows(path, [TextRecord("users", "U0001", {"description": "x"})])
    with pytest.raises(DataError, match="the command items wrote"):
        load_data(index_arguments(tmp_path, f"dataset: toy\ndescriptions: {path}\n"))
