"""What can be set when the stages are judged?"""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.run import StageArguments


@dataclass
class EvalArguments(StageArguments):
    """Judge every finished stage and write the report."""

    stages: str = field(
        default="align,reason,srpo",
        metadata={"help": "Stages to judge, separated by commas; missing ones are left out."},
    )
    num_beams: int = field(default=50, metadata={"help": "Beam width of direct mode; also the longest list."})
    unseen: bool = field(default=True, metadata={"help": "Also rank with each user's own history left out."})
    max_users: int = field(default=-1, metadata={"help": "Judge a seeded sample of this many users; -1 = all."})
    reasoning_users: int = field(default=128, metadata={"help": "Users of the fixed sample for reasoning mode."})
    reasoning_samples: int = field(default=4, metadata={"help": "Chains per user."})
    temperature: float = field(default=0.7, metadata={"help": "Sampling temperature of reasoning mode."})
    top_p: float = field(default=0.9, metadata={"help": "Nucleus of reasoning mode."})
    max_new_tokens: int = field(default=96, metadata={"help": "Longest chain and answer, in tokens."})
    batch_size: int = field(default=64, metadata={"help": "Prompts decoded at once."})
    num_examples: int = field(default=5, metadata={"help": "Readable examples in the report."})
    mode: str = field(
        default="all",
        metadata={
            "help": "all: both modes, baselines and the report. direct, reasoning or mixed: this mode alone over all "
            "users (or --max_users), one line per user in eval_modes/, with latency, tokens and cost; resumable.",
            "choices": ["all", "direct", "reasoning", "mixed"],
        },
    )
    engine: str = field(
        default="transformers",
        metadata={
            "help": "With --mode: what answers. server asks a running gateway (--server).",
            "choices": ["transformers", "vllm", "server"],
        },
    )
    engine_beams: str = field(
        default="own",
        metadata={"help": "vllm: beams of this process (own) or of vLLM (engine).", "choices": ["own", "engine"]},
    )
    max_model_len: int = field(default=1024, metadata={"help": "vllm: longest prompt with its completion, tokens."})
    server: str = field(default="http://127.0.0.1:8080", metadata={"help": "server: address of the gateway."})
    workers: int = field(default=4, metadata={"help": "server: users asked at once."})
    price_per_hour: float = field(default=0.0, metadata={"help": "Price of the machine, for the cost per 1,000 users."})
    compare: str | None = field(
        default=None, metadata={"help": "With --mode: a journal (eval_modes/*.jsonl) to compare with, user by user."}
    )
    results: str | None = field(
        default=None, metadata={"help": "Also write metrics.json here, e.g. results/gream_tiny_ml100k.json."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the user sample and of the chains."})

    @property
    def stage_names(self) -> list[str]:
        """`stages` as a list."""
        return [name.strip() for name in self.stages.split(",") if name.strip()]
