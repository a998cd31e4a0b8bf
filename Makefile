PYTHON ?= python3
BIN := .venv/bin
TRAIN := $(BIN)/python -m gan_lightning.train

.DEFAULT_GOAL := help
.PHONY: help install train mnist fashion_mnist cifar10 all tensorboard test check lint docs docs-serve clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9_ -]+:.*## / { printf "  make %-27s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="trainer.max_epochs=5 seed=1" adds settings to a training, ARGS="tests/test_gan.py -k ema" chooses tests,'
	@echo '  PYTHON=python3.12 chooses the interpreter'

install: .venv/installed ## what training needs, into .venv

train: .venv/installed ## legible digits in a few minutes, on images that come with the install
	$(TRAIN) experiment=first_run $(ARGS)

mnist fashion_mnist cifar10: .venv/installed ## the original report's settings on one data set
	$(TRAIN) experiment=report_$@ $(ARGS)

all: mnist fashion_mnist cifar10 ## the three of them

tensorboard: .venv/installed ## look at all runs in outputs/
	$(BIN)/tensorboard --logdir outputs --samples_per_plugin images=500

test: lint ## install, format and lint, types, tests
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist worksteal $(ARGS)

check: ARGS = -m 'not slow'
check: test ## the same with the fast tests alone

lint: .venv/installed-dev ## the checks that run nothing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

docs: .venv/installed-docs ## the manual, into docs/build/
	rm -rf docs/build docs/api/generated
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/build

docs-serve: docs ## the manual at http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/build 8000

clean: ## remove what installing and testing made; data/ and outputs/ stay
	rm -rf .venv build dist docs/build docs/api/generated docs/notebooks .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version.split()[0] + ": make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/installed

.venv/installed-docs: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@ .venv/installed
