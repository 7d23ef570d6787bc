"""Facts about adapters: new token rows train, old ones do not, and merging loses nothing."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from genrec.posttrain.lora import embeddings_are_tied, lora_config, merge_adapter, trainable_rows
from genrec.posttrain.sft import RecSFTTrainer

NEW = list(range(30, 38))
"""Ids of the pretended SID tokens; rows hold both old and new tokens."""


@pytest.fixture
def trained(tiny, tmp_path):
    """Train an adapter through our trainer; return (tied) -> (model before, trainer after)."""

    def run(tied):
        torch.manual_seed(0)
        base = tmp_path / f"base-{tied}"
        tiny.model(tied).save_pretrained(base)
        tiny.tokenizer().save_pretrained(base)
        ids = [[1, 2, 30 + i % 8, 3, 30 + (i * 3 + 1) % 8] for i in range(16)]
        rows = Dataset.from_dict({"input_ids": ids, "completion_mask": [[0, 0, 1, 1, 1]] * 16})
        model = AutoModelForCausalLM.from_pretrained(base)
        config = lora_config(model, NEW, rank=2, alpha=4)
        trainer = RecSFTTrainer(
            model,
            tiny.args(tmp_path / f"out-{tied}"),
            rows,
            processing_class=tiny.tokenizer(),
            peft_config=config,
        )
        trainer.train()
        trainer.save_model()
        return AutoModelForCausalLM.from_pretrained(base), trainer

    return run


def rows_of(model, which):
    """Rows (V, width) that the model really uses, adapters applied."""
    module = model.get_input_embeddings() if which == "input" else model.get_output_embeddings()
    if which == "input":
        return module(torch.arange(40)).detach()
    return module.weight.detach()


def test_tied_and_untied_models_are_told_apart(tiny):
    assert embeddings_are_tied(tiny.model(tied=True))
    assert not embeddings_are_tied(tiny.model(tied=False))


def test_tied_rows_are_a_list_and_untied_rows_name_both_modules(tiny):
    assert trainable_rows(tiny.model(tied=True), [31, 30, 31]) == [30, 31]
    assert trainable_rows(tiny.model(tied=False), [30]) == {"embed_tokens": [30], "lm_head": [30]}


@pytest.mark.parametrize("ids", [[], [40], [-1, 3]])
def test_rows_outside_the_embedding_are_refused(tiny, ids):
    with pytest.raises(ValueError, match=r"must be non-empty and lie in 0\.\.39"):
        trainable_rows(tiny.model(), ids)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("which", ["input", "output"])
def test_new_rows_train_and_old_rows_do_not(trained, tied, which):
    before, trainer = trained(tied)
    old, new = rows_of(before, which), rows_of(trainer.model, which)
    changed = (old != new).any(dim=1)
    assert changed[NEW].all()
    assert not changed[[i for i in range(40) if i not in NEW]].any()


def test_tied_rows_stay_tied_under_the_adapter(trained):
    _, trainer = trained(True)
    assert torch.equal(rows_of(trainer.model, "input"), rows_of(trainer.model, "output"))


def test_a_plain_list_would_leave_an_untied_head_frozen(tiny):
    """Why the untied case names both modules."""
    model = tiny.model(tied=False)
    config = lora_config(model, NEW)
    config.trainable_token_indices = NEW
    names = [name for name, p in get_peft_model(model, config).named_parameters() if p.requires_grad]
    assert any("embed_tokens" in name for name in names)
    assert not any("lm_head" in name for name in names)


@pytest.mark.parametrize("tied", [True, False])
def test_merging_makes_a_plain_checkpoint_with_the_same_logits(trained, tmp_path, tied):
    _, trainer = trained(tied)
    ids = torch.tensor([[1, 30, 2, 35, 4]])
    expected = trainer.model.eval()(ids).logits
    out = merge_adapter(trainer.args.output_dir, tmp_path / "plain")
    merged = AutoModelForCausalLM.from_pretrained(out)
    assert not isinstance(merged, PeftModel)
    assert not (out / "adapter_config.json").exists()
    assert embeddings_are_tied(merged) == tied
    torch.testing.assert_close(merged.eval()(ids).logits, expected, atol=1e-5, rtol=0)


def test_merging_refuses_a_folder_without_adapter(tmp_path):
    with pytest.raises(ValueError, match=r"holds no adapter_config\.json"):
        merge_adapter(tmp_path, tmp_path / "plain")


def test_merging_refuses_to_overwrite_the_adapter(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="own folder"):
        merge_adapter(tmp_path, tmp_path)
