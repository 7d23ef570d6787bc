"""How is `gream serve` run? A checkpoint behind the gateway, with chains from this process or from vLLM."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrec.serving.config import ServingConfig
    from gream.serving.inserts import Inserter

GUIDE = """Serve a checkpoint over HTTP: recommendations, items, feedback, a playground page at /.

  gream serve --model runs/tiny_ml100k/srpo                          the model in this process does everything
  gream serve --model runs/tiny_ml100k/srpo --engine vllm            chains from a vLLM server started beside it
  gream serve --model runs/tiny_ml100k/srpo --attach http://gpu1:8000 http://gpu2:8000
                                                                     chains from running vLLM servers
Then open http://127.0.0.1:8080, or ask:

  curl -s http://127.0.0.1:8080/v1/recommendations -H 'Content-Type: application/json' \\
       -d '{"history": ["1", "95"], "mode": "reasoning", "k": 5}'

Direct lists, and the items behind a chain, always come from the trie beam search of this process. SIGTERM lets open
requests finish. Keys: one per line in --api-key-file, or separated by commas in GREAM_API_KEYS.
"""

# fmt: off
SERVE_OPTIONS: dict[str, dict[str, Any]] = {
    "--model --run": {"dest": "model", "required": True, "metavar": "FOLDER", "help": "recommender folder or hub id"},
    "--host": {"default": "127.0.0.1", "help": "address (default %(default)s: this machine only)"},
    "--port": {"type": int, "default": 8080, "help": "port, 0 takes a free one (default %(default)s)"},
    "--engine": {"choices": ("transformers", "vllm"), "default": "transformers",
                 "help": "where chains come from; vllm starts `vllm serve` (default %(default)s)"},
    "--replicas": {"type": int, "default": 1, "help": "vLLM servers to start (default %(default)s)"},
    "--attach": {"nargs": "+", "default": [], "metavar": "URL", "help": "use these running servers"},
    "--vllm-args": {"default": "", "metavar": "TEXT", "help": "further arguments of `vllm serve`"},
    "--upstream-seconds": {"type": float, "default": 30.0, "help": "longest silence of a server (default %(default)s)"},
    "--num-beams": {"type": int, "default": 20, "help": "width of the beam (default %(default)s)"},
    "--max-batch": {"type": int, "default": 16, "help": "direct requests per batch (default %(default)s)"},
    "--max-chains": {"type": int, "default": 8, "help": "reasoning requests per batch (default %(default)s)"},
    "--max-new-tokens": {"type": int, "default": 96, "help": "longest chain and answer (default %(default)s)"},
    "--temperature": {"type": float, "default": 0.7, "help": "of several chains (default %(default)s)"},
    "--top-p": {"type": float, "default": 0.9, "help": "of several chains (default %(default)s)"},
    "--threads": {"type": int, "default": 0, "help": "threads of torch, 0 = all cores but one (default %(default)s)"},
    "--device": {"default": None, "help": "torch device (default: a GPU where there is one)"},
    "--direct-slots": {"type": int, "default": 3,
                       "help": "direct requests at once, then 429; 3 suit a CPU, 64 a GPU (default %(default)s)"},
    "--reasoning-slots": {"type": int, "default": 4, "help": "the same for reasoning (default %(default)s)"},
    "--state-dir": {"type": Path, "default": Path("runs/serving"), "metavar": "FOLDER",
                    "help": "feedback and audits (default %(default)s)"},
    "--audit-days": {"type": float, "default": 30.0,
                     "help": "days that audits are kept, 0 = none (default %(default)s)"},
    "--arm": {"action": "append", "default": [], "metavar": "NAME=WEIGHT",
              "help": "experiment arm; one named like a mode sets it; may be repeated"},
    "--cors": {"action": "append", "default": [], "metavar": "ORIGIN", "help": "origin that browsers may call from"},
    "--api-key-file": {"type": Path, "default": None, "metavar": "FILE", "help": "accepted keys, one per line"},
    "--index": {"type": Path, "default": None, "metavar": "FOLDER",
                "help": "index folder of the run (runs/x/index): POST /v1/items may insert new items; give keys then"},
    "--encoder": {"default": "minilm", "help": "--index: text encoder of the index (default %(default)s)"},
    "--log-text": {"action": "store_true", "help": "write histories to the log (they are user data)"},
}
# fmt: on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `gream serve`."""
    parser.description = GUIDE
    for flags, settings in SERVE_OPTIONS.items():
        parser.add_argument(*flags.split(), **settings)


def run(options: argparse.Namespace) -> str:
    """Serve until SIGTERM or SIGINT.

    Args:
        options: As `add_arguments` describes them.

    Returns:
        A last word.

    Raises:
        ValueError: An option or the folder is no good, or the extra `serve` is missing.
    """
    try:
        from genrec.serving.run import serve
    except ModuleNotFoundError as error:
        raise ValueError(f"serving needs the library '{error.name}': pip install 'gream[serve]'") from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    config = config_of(options)
    app = build(options, config)
    serve(app, config)
    return "drained; good-bye"


def config_of(options: argparse.Namespace) -> ServingConfig:
    """Settings of the gateway from the command line and the environment."""
    from genrec.serving.config import DAY, ServingConfig

    return ServingConfig(
        host=options.host, port=options.port, state_dir=options.state_dir, api_keys=_keys(options.api_key_file),
        cors_origins=tuple(options.cors), direct_slots=options.direct_slots, reasoning_slots=options.reasoning_slots,
        audit_retention_seconds=options.audit_days * DAY, log_text=options.log_text,
        arms=_arms(options.arm or ["all"]),
    )  # fmt: skip


def build(options: argparse.Namespace, config: ServingConfig) -> Any:
    """The application: checkpoint, engine, model servers.

    Args:
        options: The command line.
        config: Settings of the gateway.

    Returns:
        An ASGI application.
    """
    import torch

    from genrec.serving.gateway import create_app
    from genrec.serving.metrics import GatewayMetrics
    from gream.recommend import GreamRecommender, SamplingConfig
    from gream.serving.engine import GreamEngine
    from gream.serving.options import EngineOptions

    torch.set_num_threads(options.threads or max(1, (os.cpu_count() or 2) - 1))  # the event loop needs one as well
    recommender = GreamRecommender.from_pretrained(options.model, device=options.device)
    inserter = _inserter(options)
    if inserter is not None:
        recommender = inserter.replay(recommender)
    sampling = SamplingConfig(options.temperature, options.top_p, options.max_new_tokens)
    engine_options = EngineOptions(options.num_beams, options.max_batch, options.max_chains, sampling)
    metrics, pool, chains = GatewayMetrics(), None, None
    servers = _servers(options)
    urls = options.attach or [url for url, _ in servers]
    if urls:
        from genrec.serving.upstream.pool import Pool
        from gream.serving.server_chains import ServerChains

        pool = Pool(urls, options.upstream_seconds, launch=[server for _, server in servers])
        runner = recommender.runner
        padded = range(len(runner.tokenizer), int(runner.model.get_output_embeddings().weight.shape[0]))
        chains = ServerChains(pool, options.max_new_tokens - runner.answer_tokens, [*padded, runner.end_id])
    name = "/".join(Path(options.model).parts[-2:])
    engine = GreamEngine(recommender, engine_options, metrics, chains, name, inserter)
    return create_app(engine, config, pool, metrics)


def _inserter(options: argparse.Namespace) -> Inserter | None:
    """What takes new items; None without --index."""
    if options.index is None:
        return None
    from gream.indexing import ItemIndex
    from gream.serving.inserts import Inserter

    if not (options.index / "index.json").is_file():
        raise ValueError(f"--index: '{options.index}' holds no index.json; give the index folder of the run")
    return Inserter(ItemIndex.load(options.index), options.encoder, options.state_dir / "new_items.jsonl")


def _servers(options: argparse.Namespace) -> list[tuple[str, Any]]:
    """Address and process of every vLLM server to start; none with --attach."""
    if options.engine != "vllm" or options.attach:
        return []
    import shlex

    import torch

    from genrec.llm.vllm_cpu import CPU_ARGUMENTS, vllm_environment
    from genrec.serving.upstream.process import ServerProcess, free_port, vllm_command

    usual = () if torch.cuda.is_available() else CPU_ARGUMENTS
    made = []
    for number in range(options.replicas):
        port = free_port()
        command = vllm_command(options.model, port, [*usual, *shlex.split(options.vllm_args)])
        log = options.state_dir / f"vllm-{number}.log"
        made.append((f"http://127.0.0.1:{port}", ServerProcess(command, log, vllm_environment())))
    return made


def _keys(path: Path | None) -> tuple[str, ...]:
    """Keys of the file, or of GREAM_API_KEYS."""
    if path is None:
        return tuple(key for key in os.environ.get("GREAM_API_KEYS", "").split(",") if key.strip())
    if not path.is_file():
        raise ValueError(f"--api-key-file: '{path}' does not exist")
    keys = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if not keys:
        raise ValueError(f"--api-key-file: '{path}' holds no key; one per line")
    return keys


def _arms(given: list[str]) -> dict[str, float]:
    """NAME=WEIGHT pairs."""
    try:
        return {name: float(weight or 1.0) for name, _, weight in (text.partition("=") for text in given)}
    except ValueError as error:
        raise ValueError(f"--arm takes NAME=WEIGHT, for instance --arm direct=0.9: {error}") from error
