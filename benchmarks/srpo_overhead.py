"""How much of an SRPO step is spent in our own code rather than in TRL, torch and the model?

Run: python benchmarks/srpo_overhead.py [--steps 4] [--groups 4] [--constrained] [--out FILE]

Replayed rollouts (nothing is generated, nothing resampled) go through a Qwen3 of about 3 M parameters. Every
method of our trainers, the reward and the answer scoring are wrapped in a clock of CPU time that stops while they
call back into TRL, so that `ours` is exclusive time. `peer` is the CPU time of whole steps; the target is
ours / peer below 0.03. With --constrained, the gradient of the answer scores is booked on the step.
"""

from __future__ import annotations

import argparse
import functools
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _origin import bench_origin
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl import GRPOTrainer

from genrec.data.files import write_json
from genrec.decoding.trie import Trie
from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.posttrain import answer_scoring, grpo
from genrec.sid.vocabulary import SidVocabulary
from gream.prompts.output import parse_output
from gream.srpo.config import SRPOConfig
from gream.srpo.rewards import PrefixReward
from gream.srpo.trainer import SRPOTrainer

VOCABULARY = SidVocabulary((256, 256, 256, 256))
WORDS = 4000
TAGS = ("<think>", "</think>", "<answer>", "</answer>")
PROMPT_TOKENS, CHAIN_TOKENS = 60, 56


class Clock:
    """Exclusive CPU time per owner: entering one owner's function stops the clock of the caller's.

    Args:
        seconds: owner -> CPU seconds so far.
    """

    def __init__(self) -> None:
        self.seconds = {"ours": 0.0, "theirs": 0.0}
        self._owners = ["theirs"]
        self._since = time.process_time()

    def _turn(self, owner: str | None) -> None:
        now = time.process_time()
        self.seconds[self._owners[-1]] += now - self._since
        self._since = now
        if owner is None:
            self._owners.pop()
        else:
            self._owners.append(owner)

    def wrap(self, function: Callable[..., Any], owner: str) -> Callable[..., Any]:
        """The function with its time booked on `owner`."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._turn(owner)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn(None)

        return timed


def install(clock: Clock) -> None:
    """Wrap our hooks and the methods of TRL that they call."""
    for kind, owner in ((SRPOTrainer, "ours"), (grpo.RecGRPOTrainer, "ours"), (GRPOTrainer, "theirs")):
        for name, member in list(vars(kind).items()):
            hook = name in vars(grpo.RecGRPOTrainer) or owner == "ours"
            if callable(member) and hook and name not in ("__init__", "_get_train_sampler"):
                setattr(kind, name, clock.wrap(member, owner))
    PrefixReward.__call__ = clock.wrap(PrefixReward.__call__, "ours")  # type: ignore[method-assign]
    for name in ("answer_positions", "renormalise"):
        setattr(answer_scoring, name, clock.wrap(getattr(answer_scoring, name), "ours"))


def make_backbone(folder: Path) -> Any:
    """Write a random Qwen3 of about 3 M parameters and a word-level tokenizer; returns the tokenizer."""
    words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(WORDS))]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    tokenizer.add_tokens([*TAGS, *VOCABULARY.tokens()])
    torch.manual_seed(0)
    shape = TinyConfig(hidden_size=192, intermediate=512, num_layers=4, num_heads=4, num_kv_heads=4, max_positions=512)
    build_tiny(shape, len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


class Replay:
    """Rollout function: a random chain, then the target, a near miss or any item, the same at every call.

    Args:
        items: (num_items, 4) codes of the catalogue.
        targets: prompt -> codes of its target.
        group_size: completions per prompt.
    """

    def __init__(self, items: np.ndarray, targets: dict[str, tuple[int, ...]], group_size: int) -> None:
        self.items, self.targets, self.group_size = items, targets, group_size

    def text(self, prompt: str, index: int) -> str:
        """Completion `index` of a prompt."""
        source = random.Random(f"{prompt}/{index}")
        chain = " ".join(f"w{source.randrange(WORDS)}" for _ in range(CHAIN_TOKENS))
        item = tuple(int(code) for code in self.items[source.randrange(len(self.items))])
        codes = self.targets[prompt] if index % 5 == 0 else item
        return f"<think> {chain} </think> <answer> {VOCABULARY.text_of(codes)} </answer> <eos>"

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        """What TRL asks of a rollout function."""
        texts = [self.text(prompt, i % self.group_size) for i, prompt in enumerate(prompts)]
        tokenizer = trainer.processing_class
        return {
            "prompt_ids": tokenizer(text=prompts)["input_ids"],
            "completion_ids": tokenizer(text=texts)["input_ids"],
            "logprobs": None,
        }


def parse(text: str) -> Any:
    """Read a completion with GREAM's own reader; the word-level tokenizer decodes with spaces between codes."""
    return parse_output(text.replace("> <", "><"), VOCABULARY, labels={}, lengths={4}, endings=["<eos>"])


def make_trainer(options: argparse.Namespace, folder: Path) -> SRPOTrainer:
    """A trainer on replayed rollouts in `folder`."""
    tokenizer = make_backbone(folder / "model")
    draw = np.random.default_rng(0)
    items = np.unique(draw.integers(0, 256, (12_000, 4)), axis=0)
    rows = options.groups * (options.steps + options.warm_up)
    words = draw.integers(0, WORDS, (rows, PROMPT_TOKENS))
    prompts = [" ".join(f"w{word}" for word in row) for row in words]
    targets = [tuple(int(code) for code in items[draw.integers(len(items))]) for _ in prompts]
    args = SRPOConfig(
        output_dir=str(folder / "run"),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        max_steps=options.steps + options.warm_up,
        per_device_train_batch_size=10 * options.groups,
        max_completion_length=128,
        dynamic_sampling=False,
        answer_constraint="trie" if options.constrained else None,
    )
    bound = VOCABULARY.bind(tokenizer)
    return SRPOTrainer(
        str(folder / "model"),
        args,
        Dataset.from_dict({"prompt": prompts, "target": targets}),
        tokenizer,
        parse,
        trie=Trie.from_codes([bound.ids_of(item) for item in items.tolist()]),
        vocabulary=VOCABULARY,
        rollout_func=Replay(items, dict(zip(prompts, targets, strict=True)), args.num_generations),
    )


def measure(options: argparse.Namespace) -> dict[str, float]:
    """CPU seconds per step, ours and whole."""
    clock = Clock()
    install(clock)
    marks: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        trainer = make_trainer(options, Path(name))
        inner = trainer.training_step

        def marked(*args: Any, **kwargs: Any) -> Any:
            marks.append((clock.seconds["ours"], time.process_time()))
            return inner(*args, **kwargs)

        trainer.training_step = marked
        trainer.train()
        marks.append((clock.seconds["ours"], time.process_time()))
    (ours_before, before), (ours_after, after) = marks[options.warm_up], marks[-1]
    return {
        "ours": (ours_after - ours_before) / options.steps,
        "peer": (after - before) / options.steps,
        "hit_rate": trainer.state.log_history[0].get("hit_rate", float("nan")),
    }


def main() -> None:
    """Measure, print the ratio, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4, help="measured optimizer steps")
    parser.add_argument("--warm_up", type=int, default=1, help="steps before the clock starts")
    parser.add_argument("--groups", type=int, default=4, help="prompts per step, ten completions each")
    parser.add_argument("--constrained", action="store_true", help="answer_constraint='trie'")
    parser.add_argument("--out", type=Path, default=Path("results/bench_srpo_overhead.json"))
    options = parser.parse_args()
    seconds = measure(options)
    result = {
        "what": "SRPO step on replayed rollouts: inside our hooks (ours), whole step (peer); ratio: ours over peer",
        "unit": "CPU s per step",
        "peer_name": "the whole step",
        "ours": round(seconds["ours"], 5),
        "peer": round(seconds["peer"], 4),
        "ratio": round(seconds["ours"] / seconds["peer"], 5),
        "target": 0.03,
        "setting": {
            "completions": 10 * options.groups,
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": CHAIN_TOKENS + 9,
            "constrained": options.constrained,
            "steps": options.steps,
            "hit_rate": round(seconds["hit_rate"], 4),
        },
        **bench_origin(),
    }
    write_json(options.out, result)
    print("ours {ours} s, step {peer} s, ratio {ratio} (target < {target})".format(**result))


if __name__ == "__main__":
    main()
