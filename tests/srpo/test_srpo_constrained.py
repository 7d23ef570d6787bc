"""Answers under the trie: what is sampled exists, and sampler, policy, old and reference score it alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from srpo_toys import ITEMS, USERS, arguments, make_trainer, parse, rows, save_toy_model
from transformers import AutoTokenizer, LogitsProcessorList

from genrec.decoding.processors import TrieLogitsProcessor
from genrec.decoding.trie import Trie
from gream.srpo.trainer import answer_constraint, check_visible_tokens

CATALOGUE = ITEMS[:3]  # item (1, 1) does not exist, so <b_0> is an only child of <a_1>


def token_trie(tokenizer: Any) -> Trie:
    codes = [tokenizer.convert_tokens_to_ids([f"<a_{a}>", f"<b_{b}>"]) for a, b in CATALOGUE]
    return Trie.from_codes(np.array(codes))


def constrained_trainer(folder: Path, output: Path, **changes: Any) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    values = {"answer_constraint": "trie", "max_completion_length": 12, "num_generations": 8} | changes
    return make_trainer(folder, arguments(output, **values), trie=token_trie(tokenizer))


def answers(trainer: Any, num: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prompts (n, 1), sampled completions (n, C) and the sampler's log-probabilities (n, C)."""
    tokenizer = trainer.processing_class
    start = tokenizer.convert_tokens_to_ids("</think>")
    users = torch.tensor(tokenizer.convert_tokens_to_ids(USERS)).repeat_interleave(num // 8)[:, None]
    prompts = torch.cat([users, torch.full_like(users, start)], dim=1)  # the last prompt token opens the answer
    processor = TrieLogitsProcessor(trainer.answer_constraint, prompt_length=1)
    out = trainer.model.generate(
        input_ids=prompts,
        attention_mask=torch.ones_like(prompts),
        generation_config=trainer.generation_config,
        logits_processor=LogitsProcessorList([processor]),
        return_dict_in_generate=True,
        output_scores=True,
    )
    sampled = out.sequences[:, 2:]
    scores = torch.stack(out.scores, dim=1).log_softmax(-1).gather(2, sampled[..., None])[..., 0]
    return users, out.sequences[:, 1:], torch.cat([torch.zeros(len(users), 1), scores], dim=1)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampler_and_trainer_agree_within_1e4(toy_folder: Path, tmp_path: Path, temperature: float) -> None:
    trainer = constrained_trainer(toy_folder, tmp_path, temperature=temperature, beta=0.1)
    users, completions, expected = answers(trainer)
    ids = torch.cat([users, completions], dim=1)
    for model in (trainer.model, trainer.ref_model):
        scored, _, _ = trainer._get_per_token_logps_and_entropies(
            model, ids, torch.ones_like(ids), completions.shape[1], batch_size=24
        )
        torch.testing.assert_close(scored[:, 1:], expected[:, 1:], atol=1e-4, rtol=0)  # column 0 is </think> itself


def test_entropy_counts_allowed_tokens_only(toy_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(toy_folder, tmp_path)
    users, completions, expected = answers(trainer)
    ids = torch.cat([users, completions], dim=1)
    _, entropy, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, ids, torch.ones_like(ids), completions.shape[1], compute_entropy=True
    )
    chosen = expected[:, 2].exp()  # </think> <answer> <a_?>: two children, one of them sampled
    binary = -(chosen * chosen.log() + (1 - chosen) * (1 - chosen).log())
    torch.testing.assert_close(entropy[:, 2], binary, atol=1e-4, rtol=0)
    assert entropy[:, [1, 4, 5]].abs().max() == 0


def test_unconstrained_scores_are_off_by_nats(toy_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(toy_folder, tmp_path / "a")
    free = make_trainer(toy_folder, arguments(tmp_path / "b"))
    users, completions, expected = answers(trainer)
    ids = torch.cat([users, completions], dim=1)
    scored, _, _ = free._get_per_token_logps_and_entropies(free.model, ids, torch.ones_like(ids), completions.shape[1])
    assert (expected[:, 1:].sum(1) - scored[:, 1:].sum(1)).mean() > 5


def test_answers_always_exist_and_forced_tokens_stay_out_of_the_loss(thinking_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(thinking_folder, tmp_path, max_steps=2, dynamic_sampling=False)
    trainer.train()
    finished = 0
    for batch in trainer.batches:
        counted = batch["tool_mask"] * batch["completion_mask"]
        for ids, mask in zip(batch["completion_ids"], counted.tolist(), strict=True):
            tokens = trainer.processing_class.convert_ids_to_tokens(ids.tolist())
            if "</think>" not in tokens:
                continue
            start = tokens.index("</think>") + 1
            answer = tokens[start : start + 5]
            if "<eos>" in answer:
                finished += 1
                assert parse("".join(answer)).codes in CATALOGUE
                assert [answer[0], *answer[3:]] == ["<answer>", "</answer>", "<eos>"]
                second = 0 if answer[1] == "<a_1>" else 1  # <b_0> is the only child of <a_1>
                assert mask[start : start + 5] == [0, 1, second, 0, 0]
                assert mask[:start] == [1] * start
    assert finished > 8


def test_constrained_training_moves_weights_and_stays_finite(thinking_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(
        thinking_folder,
        tmp_path,
        max_steps=3,
        num_iterations=2,
        gradient_accumulation_steps=2,
        max_resample=1,
    )
    before = trainer.model.get_input_embeddings().weight.detach().clone()
    trainer.train()
    assert all("old_per_token_logps" in batch for batch in trainer.batches)
    assert torch.isfinite(trainer.model.get_input_embeddings().weight).all()
    assert not torch.equal(before, trainer.model.get_input_embeddings().weight)


def test_gradient_reaches_the_model_only_through_choices(toy_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(toy_folder, tmp_path)
    tokenizer = trainer.processing_class
    tokens = ["</think>", "<answer>", "<a_1>", "<b_0>", "</answer>", "<eos>"]
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(["u0", *tokens])])
    scored, _, _ = trainer._get_per_token_logps_and_entropies(trainer.model, ids, torch.ones_like(ids), 6)
    assert scored[0, [1, 3, 4, 5]].tolist() == [0.0] * 4
    assert scored[0, 2] < 0
    (forced,) = torch.autograd.grad(scored[0, [1, 3, 4, 5]].sum(), trainer.model.lm_head.weight, retain_graph=True)
    (chosen,) = torch.autograd.grad(scored[0, 2], trainer.model.lm_head.weight)
    assert forced.abs().max() == 0
    assert chosen.abs().max() > 0


def test_a_completion_from_another_sampler_is_refused(toy_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(toy_folder, tmp_path)
    tokens = ["u0", "</think>", "<answer>", "<a_1>", "<b_1>"]
    ids = torch.tensor([trainer.processing_class.convert_tokens_to_ids(tokens)])
    with pytest.raises(ValueError, match="was not sampled under this constraint"):
        trainer._get_per_token_logps_and_entropies(trainer.model, ids, torch.ones_like(ids), 4)


def test_generate_is_free_again_after_a_rollout(toy_folder: Path, tmp_path: Path) -> None:
    trainer = constrained_trainer(toy_folder, tmp_path)
    trainer._generate_single_turn([[3]] * 4, None, {}, 4)
    assert "generate" not in vars(trainer.model)


def test_rows_without_a_token_are_never_sampled(tmp_path: Path) -> None:
    folder = save_toy_model(tmp_path / "padded", vocab_rows=64)
    trainer = make_trainer(folder, arguments(tmp_path / "run", temperature=50.0, max_completion_length=20))
    completions, _ = trainer._generate_single_turn([[3]] * 32, None, {}, 4)
    assert max(max(ids) for ids in completions) < len(trainer.processing_class) < 64


def test_trie_without_a_trie_names_the_remedy(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a trie over token ids"):
        make_trainer(toy_folder, arguments(tmp_path, answer_constraint="trie"))


def test_a_split_think_tag_is_refused(toy_folder: Path) -> None:
    class Splitting:
        eos_token_id = 1

        def encode(self, text: str, **_: Any) -> list[int]:
            return [5, 6] if text == "</think>" else [7]

    with pytest.raises(ValueError, match="needs '</think>' as one token"):
        answer_constraint(Splitting(), token_trie(AutoTokenizer.from_pretrained(toy_folder)))


def test_special_sid_tokens_are_refused_because_decoding_drops_them(toy_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(toy_folder)
    check_visible_tokens(tokenizer, None)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<a_0>"]}, replace_extra_special_tokens=False)

    class Vocabulary:
        def tokens(self) -> list[str]:
            return ["<a_0>", "<a_1>"]

    with pytest.raises(ValueError, match="1 tokens are special and would vanish"):
        check_visible_tokens(tokenizer, Vocabulary())


def test_rows_without_targets_are_refused(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a column 'target'"):
        make_trainer(toy_folder, arguments(tmp_path), rows().remove_columns("target"))
