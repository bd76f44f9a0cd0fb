# Everything starts here: `make demo`, `make test`. Python 3.11 or newer is all that has to be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tiny tensors: a second thread makes them slower, many times so on shared cores.
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: env demo vary-demo eval-demo dpo-demo grpo-demo test test-slow conformance bench bench-eval ablation presets plan-table engines transformers4 style quality stats clean

env: $(STAMP)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	# torch first and pinned: an unpinned one may bring gigabytes of CUDA packages
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)  ## train a tiny model from nothing and report what it says of pictures it never saw
	$(BIN)/nanovlms demo --config recipes/demo/demo.yaml

vary-demo: $(STAMP)  ## pretrain a vision vocabulary, merge it, and compare with the same model without it
	$(BIN)/nanovlms vary-demo --config recipes/vary-nano/demo.yaml

eval-demo: $(STAMP)  ## every programmatic score of the demo's model, with intervals and blank and shuffled pictures
	@test -f runs/demo/model.safetensors || { echo "runs/demo holds no model: run \`make demo\` first." >&2; exit 2; }
	ACCELERATE_USE_CPU=true $(BIN)/accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/evaluate.py \
		--config recipes/demo/evaluate.yaml

dpo-demo: $(STAMP)  ## from the demo's model to one that prefers what is true, with its accuracy by kind of error
	$(BIN)/nanovlms dpo-demo --config recipes/demo/dpo_demo.yaml

grpo-demo: $(STAMP)  ## the demo's model rewarded for true facts, with the reward on held-out scenes
	$(BIN)/nanovlms grpo-demo --config recipes/demo/grpo_demo.yaml

test: $(STAMP)  ## the tests, under 10 minutes on two cores
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(STAMP)  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

conformance: $(STAMP)  ## transformers' own common tests, unmodified, on our classes
	$(BIN)/python tests/conformance/fetch.py

bench: $(STAMP)  ## time per training step against transformers' classes; drawing speed
	$(BIN)/python benchmarks/bench_step.py --preset nanovlm-mini
	$(BIN)/python benchmarks/bench_scenes.py
	$(BIN)/python benchmarks/bench_vary_tiny.py

bench-eval: $(STAMP)  ## items a second in batches of 32 against one by one, on the demo's model
	$(BIN)/python benchmarks/bench_evaluation.py --model runs/demo

ablation: $(STAMP)  ## the runs behind the tables of docs/log.md, about half an hour
	$(BIN)/python benchmarks/ablation.py

engines: $(STAMP)  ## DeepSpeed into the environment, for ZeRO; then the tests of the engines, ZeRO's among them
	$(BIN)/python -m pip install --quiet --constraint constraints.txt wheel setuptools
	DS_BUILD_OPS=0 $(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation deepspeed==0.19.8
	$(BIN)/python -m pytest -n 0 tests/training/test_engines.py

transformers4: $(STAMP) .venv4/.installed  ## a pushed repository on transformers 4.57, in an environment of its own
	NANOVLMS_PYTHON4=$(CURDIR)/.venv4/bin/python $(BIN)/python -m pytest -n 0 tests/hub/test_transformers4.py

.venv4/.installed: constraints-transformers4.txt
	$(PYTHON) -m venv .venv4
	.venv4/bin/python -m pip install --quiet --requirement constraints-transformers4.txt
	touch $@

presets: $(STAMP)
	$(BIN)/nanovlms presets

plan-table: $(STAMP)  ## what fits 6 to 24 GB, into README.md and docs/plan.md; some minutes
	$(BIN)/python benchmarks/plan_table.py README.md docs/plan.md

style: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

quality: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

stats:  ## lines a source file, longest first
	@git ls-files 'src/*.py' 'recipes/*.py' | xargs wc -l | sort -rn | head -40

clean:
	rm -rf $(VENV) .venv4 .cache .pytest_cache .ruff_cache build
