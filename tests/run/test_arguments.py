"""Settings: dataclass defaults < YAML < command line; unknown keys and secrets."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from genrec.run.arguments import StageArguments, is_secret, parse_stage, settings_of, with_default_config


@dataclass
class Toy(StageArguments):
    rate: float = field(default=0.1, metadata={"help": "rate"})
    hub_token: str | None = field(default=None, metadata={"help": "secret"})
    eos_token: str | None = field(default=None, metadata={"help": "a word of the vocabulary"})


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text("rate: 0.5\nrun_dir: runs/a\n")
    return path


def test_without_flags_the_default_config_is_read(yaml_file):
    (toy,) = parse_stage([Toy], yaml_file, argv=[])
    assert (toy.rate, toy.run_dir, toy.if_done) == (0.5, "runs/a", "rerun")


def test_the_command_line_overrides_the_yaml(yaml_file):
    (toy,) = parse_stage([Toy], yaml_file, argv=["--rate", "0.7"])
    assert (toy.rate, toy.run_dir) == (0.7, "runs/a")


def test_a_named_config_replaces_the_default_one(yaml_file, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("rate: 0.9\n")
    (toy,) = parse_stage([Toy], yaml_file, argv=[f"--config={other}"])
    assert (toy.rate, toy.run_dir) == (0.9, "runs/default")


def test_an_unknown_key_is_an_error_that_names_it(yaml_file):
    yaml_file.write_text("ratte: 0.5\n")
    with pytest.raises(ValueError, match="ratte"):
        parse_stage([Toy], yaml_file, argv=[])


def test_a_missing_config_is_an_error_that_names_it(yaml_file):
    with pytest.raises(ValueError, match=r"nowhere\.yaml"):
        parse_stage([Toy], yaml_file, argv=["--config", "nowhere.yaml"])


def test_if_done_from_yaml_is_checked(yaml_file):
    yaml_file.write_text("if_done: maybe\n")
    with pytest.raises(ValueError, match="maybe"):
        parse_stage([Toy], yaml_file, argv=[])


def test_help_is_not_given_a_config(yaml_file):
    assert with_default_config(["--help"], yaml_file) == ["--help"]


def test_settings_never_contain_secrets():
    settings = settings_of(Toy(hub_token="hf_secret"))
    assert settings["rate"] == 0.1
    assert "hf_secret" not in str(settings)


def test_tokens_of_the_vocabulary_are_settings_like_others():
    assert settings_of(Toy(eos_token="<|im_end|>"))["eos_token"] == "<|im_end|>"


@pytest.mark.parametrize("name", ["hub_token", "token", "push_to_hub_token", "x_api_key", "API-KEY", "db_password"])
def test_names_of_credentials(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["eos_token", "pad_token", "max_new_tokens", "answer_constraint", "k_core"])
def test_names_of_plain_settings(name):
    assert not is_secret(name)


def test_credentials_inside_a_setting_are_left_out():
    assert settings_of(Toy(eos_token={"token": "hf_secret", "pad_token": "x"}))["eos_token"] == {"pad_token": "x"}


def test_names_cannot_be_abbreviated_past_the_redaction(yaml_file):
    with pytest.raises(ValueError, match="--hub_tok"):
        parse_stage([Toy], yaml_file, argv=["--hub_tok", "hf_secret"])
