"""A shop of four items, a one-layer policy and replayed rollouts, shared by the SRPO tests."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM

from genrec.llm.backbones import TinyConfig, build_tiny
from gream.srpo.config import SRPOConfig
from gream.srpo.trainer import SRPOTrainer

TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
LEVELS = [["<a_0>", "<a_1>"], ["<b_0>", "<b_1>"]]
ITEMS = [(0, 0), (0, 1), (1, 0), (1, 1)]
USERS = [f"u{i}" for i in range(8)]


def save_toy_model(folder: Path, vocab_rows: int | None = None, *, thinks: bool = False) -> Path:
    """Write a word-level tokenizer and a one-layer Qwen3 that answers with random items."""
    words = ["<pad>", "<eos>", "<unk>", *USERS]
    vocabulary = {word: i for i, word in enumerate(words)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    tokenizer.add_tokens([*TAGS, *LEVELS[0], *LEVELS[1]])
    torch.manual_seed(0)
    shape = TinyConfig(32, 1, num_heads=2, num_kv_heads=2, intermediate=64, max_positions=64)
    model = build_tiny(shape, vocab_rows or len(tokenizer))
    teach_the_format(model, tokenizer, "<think> </think> <answer> {} </answer>" if thinks else "{}")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def teach_the_format(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, form: str) -> None:
    """Teach the model to answer every user with any of the four items, each equally often."""
    texts = [f"{user} {form.format(f'<a_{a}> <b_{b}>')} <eos>" for user in USERS for a, b in ITEMS]
    batch = torch.tensor(tokenizer(text=texts)["input_ids"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def parse(text: str) -> SimpleNamespace:
    """Codes of the first SID in a text."""
    match = re.search(r"<a_(\d)>\s*<b_(\d)>", text)
    codes = (int(match[1]), int(match[2])) if match else None
    return SimpleNamespace(codes=codes, format_ok=codes is not None)


def rows(num: int = 8, target: tuple[int, ...] | None = None) -> Dataset:
    """Prompts of `num` users; user i wants item i mod 4 unless a target is given."""
    targets = [list(target or ITEMS[i % 4]) for i in range(num)]
    return Dataset.from_dict({"prompt": [USERS[i % 8] for i in range(num)], "target": targets})


def arguments(folder: Path, **changes: Any) -> SRPOConfig:
    """SRPO arguments for a quiet CPU run of small batches."""
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "num_generations": 4,
        "per_device_train_batch_size": 8,
        "max_completion_length": 3,
        "learning_rate": 1e-3,
        "max_steps": 2,
        "seed": 7,
    }
    return SRPOConfig(**{**values, **changes})


class RecordingTrainer(SRPOTrainer):
    """Keeps every batch that the hook returned."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batches: list[dict[str, Any]] = []
        self.prompts: list[list[str]] = []

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        self.batches.append(output)
        self.prompts.append([row["prompt"] for row in inputs])
        return output


def make_trainer(model: Path, args: SRPOConfig, dataset: Dataset | None = None, **options: Any) -> RecordingTrainer:
    """A trainer on the toy model."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    return RecordingTrainer(str(model), args, dataset or rows(), tokenizer, parse, **options)


def replayed(prompt: str, index: int, dead: bool) -> str:
    """Completion `index` of a prompt: dead users always answer one item, others cycle through all four."""
    user = int(prompt[1:])
    codes = ITEMS[3 if dead and user % 2 else (index * (1 + user) + user) % 4]
    return f"<a_{codes[0]}> <b_{codes[1]}> <eos>"


class Replay:
    """Rollout function that returns fixed completions, the same on any number of processes."""

    def __init__(self, dead: bool = False) -> None:
        self.dead = dead

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        size = trainer.num_generations
        texts = [replayed(prompt, i % size, self.dead) for i, prompt in enumerate(prompts)]
        encode = trainer.processing_class
        return {
            "prompt_ids": encode(text=prompts)["input_ids"],
            "completion_ids": encode(text=texts)["input_ids"],
            "logprobs": None,
        }


def weights(trainer: Any) -> list[torch.Tensor]:
    """Copies of the trained weights."""
    return [parameter.detach().clone() for parameter in trainer.accelerator.unwrap_model(trainer.model).parameters()]
