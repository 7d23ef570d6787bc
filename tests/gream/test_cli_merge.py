"""`gream merge` makes a plain checkpoint out of an adapter, and says what is wrong with a folder."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from genrec.llm.backbones import TinyConfig, build_tiny
from gream.cli import main


@pytest.fixture
def adapter(tmp_path):
    base = build_tiny(TinyConfig(16, 1, num_heads=2, num_kv_heads=1, intermediate=32), 40)
    base.save_pretrained(tmp_path / "base")
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tmp_path / "base"), LoraConfig(target_modules="all-linear")
    )
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path / "adapter")
    return model.eval(), tmp_path


def test_merged_logits_equal_those_of_the_adapter_model(adapter, capsys):
    model, folder = adapter
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, "a"))).save_pretrained(folder / "base")
    assert main(["merge", "--adapter", str(folder / "adapter"), "--out", str(folder / "plain")]) == 0
    assert "merged into" in capsys.readouterr().out
    ids = torch.arange(8)[None]
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(folder / "plain")(ids).logits
        assert torch.allclose(merged, model(ids).logits, atol=1e-5)


def test_a_folder_without_an_adapter_is_named(tmp_path, capsys):
    assert main(["merge", "--adapter", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "adapter_config.json" in capsys.readouterr().err
