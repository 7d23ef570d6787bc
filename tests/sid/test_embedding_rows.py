from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary import (
    PaddedRowsMask,
    SidVocabulary,
    extend_tokenizer,
    mask_padded_rows,
    resize_and_init,
    suppress_padded_rows,
)

ITEMS = ItemCodes(np.array([[0, 0], [0, 1], [1, 0]]), (3, 2))
VOCABULARY = SidVocabulary.for_codes(ITEMS)
TEXTS = ["red nail polish", "night cream", "shampoo"]
Build = Callable[..., Any]


def prepared(tokenizer: Any, make_model: Build, tied: bool = True, **options: Any) -> tuple[Any, torch.Tensor]:
    """A model whose rows were initialised, and its old input matrix."""
    model = make_model(len(tokenizer), tied)
    old = model.get_input_embeddings().weight.detach().clone()
    extend_tokenizer(tokenizer, VOCABULARY)
    resize_and_init(model, tokenizer, VOCABULARY, ITEMS, TEXTS, **options)
    return model, old


def item_mean(tokenizer: Any, weight: torch.Tensor, text: str) -> torch.Tensor:
    return weight[tokenizer(text)["input_ids"]].mean(dim=0)


def test_semantic_rows_are_the_mean_words_of_their_items(tokenizer: Any, make_model: Build) -> None:
    model, old = prepared(tokenizer, make_model, noise=0.0)
    weight, ids = model.get_input_embeddings().weight, VOCABULARY.bind(tokenizer).token_ids
    first, second, third = (item_mean(tokenizer, old, text) for text in TEXTS)
    torch.testing.assert_close(weight[int(ids[0][0])], (first + second) / 2)
    torch.testing.assert_close(weight[int(ids[0][1])], third)
    torch.testing.assert_close(weight[int(ids[1][0])], (first + third) / 2)
    torch.testing.assert_close(weight[int(ids[1][1])], second)


def test_codebook_rows_are_projected_codewords_level_by_level(tokenizer: Any, make_model: Build) -> None:
    # items at 2, 0, -2: level 0 has the means 1 and -2, which leaves 1, -1, 0: level 1 has the means 0.5 and -1
    vectors = np.array([[2.0], [0.0], [-2.0]])
    model, old = prepared(tokenizer, make_model, init="codebook", noise=0.0, vectors=vectors)
    rows = model.get_input_embeddings().weight.detach() - old.mean(dim=0)
    for level, ratio in zip(VOCABULARY.bind(tokenizer).token_ids, (-0.5, -0.5), strict=True):
        torch.testing.assert_close(rows[int(level[0])], ratio * rows[int(level[1])], atol=1e-5, rtol=1e-4)
        spread = rows[torch.from_numpy(level[:2].astype(np.int64))].std()
        torch.testing.assert_close(spread, old.std(), atol=1e-4, rtol=1e-3)
    unused = int(VOCABULARY.bind(tokenizer).token_ids[0][2])
    torch.testing.assert_close(rows[unused], torch.zeros_like(rows[unused]))


def test_codebook_rows_need_a_vector_per_item(tokenizer: Any, make_model: Build) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    for vectors in (None, np.zeros((2, 4))):
        with pytest.raises(ValueError, match="vector for each of the 3 items"):
            resize_and_init(make_model(300), tokenizer, VOCABULARY, ITEMS, TEXTS, "codebook", vectors=vectors)


def test_a_code_without_items_starts_at_the_mean_of_all_old_rows(tokenizer: Any, make_model: Build) -> None:
    model, old = prepared(tokenizer, make_model, noise=0.0)
    unused = int(VOCABULARY.bind(tokenizer).token_ids[0][2])
    torch.testing.assert_close(model.get_input_embeddings().weight[unused], old.mean(dim=0))


def test_untied_output_rows_start_at_the_mean_of_output_rows(tokenizer: Any, make_model: Build) -> None:
    model = make_model(len(tokenizer), False)
    old = model.get_output_embeddings().weight.detach().clone()
    extend_tokenizer(tokenizer, VOCABULARY)
    resize_and_init(model, tokenizer, VOCABULARY, ITEMS, TEXTS, noise=0.0)
    row = int(VOCABULARY.bind(tokenizer).token_ids[0][1])
    inputs, outputs = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    torch.testing.assert_close(outputs[row], item_mean(tokenizer, old, "shampoo"))
    assert not torch.allclose(outputs[row], inputs[row])


def test_old_rows_are_untouched_and_noise_is_small(tokenizer: Any, make_model: Build) -> None:
    model, old = prepared(tokenizer, make_model, noise=0.1)
    weight = model.get_input_embeddings().weight
    assert torch.equal(weight[: len(old)], old)
    row = int(VOCABULARY.bind(tokenizer).token_ids[0][1])
    noise = weight[row] - item_mean(tokenizer, old, "shampoo")
    assert 0.05 * old.std() < noise.std() < 0.2 * old.std()


def test_texts_that_imitate_sids_count_as_no_words(tokenizer: Any, make_model: Build) -> None:
    model = make_model(len(tokenizer))
    old = model.get_input_embeddings().weight.detach().clone()
    extend_tokenizer(tokenizer, VOCABULARY)
    texts = ["red", "blue", "<a_0><b_1><think>"]
    resize_and_init(model, tokenizer, VOCABULARY, ITEMS, texts, noise=0.0)
    row = int(VOCABULARY.bind(tokenizer).token_ids[0][1])
    torch.testing.assert_close(model.get_input_embeddings().weight[row], old.mean(dim=0))


def test_equal_seeds_give_equal_rows(tokenizer: Any, make_model: Build) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    models = [make_model(300) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        resize_and_init(model, tokenizer, VOCABULARY, ITEMS, TEXTS, seed=seed)
    weights = [model.get_input_embeddings().weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_mean_and_random_are_there_for_ablation(tokenizer: Any, make_model: Build) -> None:
    model, old = prepared(tokenizer, make_model, init="mean", noise=0.0)
    row = int(VOCABULARY.bind(tokenizer).token_ids[0][1])
    torch.testing.assert_close(model.get_input_embeddings().weight[row], old.mean(dim=0))
    resize_and_init(model, tokenizer, VOCABULARY, ITEMS, [], init="random")
    rows = model.get_input_embeddings().weight[VOCABULARY.bind(tokenizer).all_ids()]
    assert rows.std().item() == pytest.approx(model.config.initializer_range, rel=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"init": "magic"}, "init='magic' is unknown"), ({"texts": ["one"]}, "1 texts for 3 items")],
)
def test_bad_arguments_are_refused(tokenizer: Any, make_model: Build, options: dict[str, Any], message: str) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    with pytest.raises(ValueError, match=message):
        resize_and_init(make_model(300), tokenizer, VOCABULARY, ITEMS, **{"texts": TEXTS, **options})


def test_a_padded_matrix_is_not_shrunk_and_its_padding_is_suppressed(tokenizer: Any, make_model: Build) -> None:
    model = make_model(400)
    extend_tokenizer(tokenizer, VOCABULARY)
    resize_and_init(model, tokenizer, VOCABULARY, ITEMS, TEXTS)
    assert model.get_input_embeddings().weight.shape[0] == 400
    assert model.generation_config.suppress_tokens == list(range(len(tokenizer), 400))


def test_mask_sets_rows_without_a_token_to_minus_infinity() -> None:
    logits = torch.zeros(2, 5)
    masked = mask_padded_rows(logits, 3)
    assert masked.isneginf().tolist() == [[False, False, False, True, True]] * 2
    assert torch.equal(logits, torch.zeros(2, 5))
    assert mask_padded_rows(logits, 5) is logits


@pytest.mark.parametrize("by_processor", [True, False])
def test_padded_rows_are_never_sampled(tokenizer: Any, make_model: Build, by_processor: bool) -> None:
    rows = len(tokenizer) + 100
    model = make_model(rows, False)
    with torch.no_grad():  # without a mask, sampling would pick padded rows nearly always
        model.get_output_embeddings().weight.zero_()
        model.get_output_embeddings().weight[: len(tokenizer)] = -1e-3
    prompt = torch.tensor([[5, 6, 7]] * 8)
    options = {"do_sample": True, "max_new_tokens": 8, "pad_token_id": 0}
    torch.manual_seed(0)
    free = model.generate(prompt, **options)
    assert (free >= len(tokenizer)).any()
    if by_processor:
        masked = model.generate(prompt, logits_processor=[PaddedRowsMask(len(tokenizer))], **options)
    else:
        assert len(suppress_padded_rows(model, tokenizer)) == 100
        masked = model.generate(prompt, **options)
    assert (masked < len(tokenizer)).all()
