"""Chains of several teachers: joined in the order of the list, held against the training data like any other."""

from pathlib import Path

from trl import SFTConfig

from genrec.data.chains import Chain, write_chains
from genrec.run import parse_stage
from gream.settings import ReasonArguments
from gream.workspace import Workspace

CONFIG = Path(__file__).parents[2] / "recipes/configs/gream/tiny_ml100k/reason.yaml"


def _chain(user: str, teacher: str) -> Chain:
    return Chain(user, ["a"], "b", "was", "likes", "wants", "b because a", ["a"], teacher)


def test_files_are_joined_in_the_order_of_the_list(tmp_path: Path) -> None:
    rules, model = tmp_path / "cot" / "train.jsonl", tmp_path / "model.parquet"
    rules.parent.mkdir()
    write_chains(rules, [_chain("1", "rules"), _chain("2", "rules")])
    write_chains(model, [_chain("3", "model")])
    assert [chain.user_id for chain in Workspace(tmp_path, [rules, model]).chains] == ["1", "2", "3"]
    assert [chain.teacher for chain in Workspace(tmp_path, [model]).chains] == ["model"]
    assert [chain.user_id for chain in Workspace(tmp_path).chains] == ["1", "2"], "none named: the run's own"


def test_list_comes_from_yaml_and_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "reason.yaml"
    path.write_text(CONFIG.read_text() + "chains:\n  - x.jsonl\n  - y.jsonl\n")
    parsed = [
        parse_stage([ReasonArguments, SFTConfig], CONFIG, "", argv=words)[0].chains
        for words in ([], ["--config", str(path)], ["--chains", "p.jsonl", "q.jsonl"])
    ]
    assert parsed == [[], ["x.jsonl", "y.jsonl"], ["p.jsonl", "q.jsonl"]]
