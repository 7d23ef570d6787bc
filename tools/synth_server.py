"""How does a real language model answer on this machine, without a key and without a GPU? vLLM with SmolLM2-135M.

make synth-server            or: python tools/synth_server.py [--port 8000]
gream-synth items --config recipes/configs/data_synthesis/smollm2.yaml out=runs/texts/items.jsonl

The model comes out of a wheel (`genrec.llm.assets`). The start takes about a minute; Ctrl-C ends the server.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from genrec.llm.assets import smollm2_folder
from genrec.llm.vllm_cpu import vllm_environment

NAME = "smollm2-135m-instruct"
PATIENCE = "36000"  # seconds; on a busy machine a step outlasts vLLM's own limits, which would end the server
ENVIRONMENT = {
    "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": PATIENCE,
    "VLLM_ENGINE_READY_TIMEOUT_S": PATIENCE,
    "VLLM_ENGINE_ITERATION_TIMEOUT_S": PATIENCE,
}


def command(port: int, folder: str) -> list[str]:
    """What is executed: the module and not the script `vllm`, which looks for a distribution of that very name."""
    words = ["--model", folder, "--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(port)]
    # float32: CPUs without AMX emulate bfloat16; eager: compiling takes minutes; small steps stay short.
    words += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "4096"]
    words += ["--max-num-seqs", "32", "--max-num-batched-tokens", "1024"]
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words]


def main() -> None:
    """Become the server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default %(default)s)")
    options = parser.parse_args()
    if importlib.util.find_spec("vllm") is None:
        raise SystemExit("vLLM is not installed here; run `make setup WITH_VLLM=1`")
    os.environ |= vllm_environment() | {name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()}
    words = command(options.port, str(smollm2_folder()))
    os.execv(words[0], words)


if __name__ == "__main__":
    main()
