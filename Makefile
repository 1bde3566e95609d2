# Everything a person or a machine does with this checkout. `make` alone lists it.

PYTHON ?= python3
PYTEST_ARGS ?=
BIN := .venv/bin

# A prompt may hold quotes, dollars and line ends. It therefore reaches the recipe through the
# environment, as the text that was given: make neither expands it nor pastes it into a shell line.
override export OSTRO_PROMPT := $(value PROMPT)
override export PIP_ARGS := $(value PIP_ARGS)
unexport PROMPT

.DEFAULT_GOAL := help
.PHONY: help chat install serve-deps train-deps evaluate-deps dev native test test-all sanitize check format clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'

chat: install  ## install what the chat needs and talk to the demo model (PROMPT="..." asks once)
	@if [ -n "$$OSTRO_PROMPT" ]; then \
	  exec $(BIN)/ostro chat demo --prompt="$$OSTRO_PROMPT"; \
	else \
	  exec $(BIN)/ostro chat demo; \
	fi

install:  ## make .venv with ostro and its dependencies (PIP_ARGS="..." goes to pip)
	@$(PYTHON) scripts/install.py chat

serve-deps:  ## the same, and what structured output and the server need
	@$(PYTHON) scripts/install.py serve

train-deps:  ## the same, and what preparing data and training need
	@$(PYTHON) scripts/install.py train

evaluate-deps:  ## the same, and what benchmarks and reports need
	@$(PYTHON) scripts/install.py evaluate

dev:  ## the same, and what tests and checks need
	@$(PYTHON) scripts/install.py dev

native:  ## rebuild the native library alone, from src/ostro/kernels/native
	@$(PYTHON) scripts/build_native.py

test: dev  ## the fast tests (PYTEST_ARGS="..." goes to pytest)
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

test-all: dev  ## all tests, those that fetch and run the demo model included
	$(BIN)/python -m pytest $(PYTEST_ARGS)

sanitize: dev  ## the native code's own tests under the sanitizers of addresses and of threads
	@$(PYTHON) scripts/build_native.py test address,undefined thread

check: dev  ## lint, format, types, and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove .venv, build files and caches (models stay where they are)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f src/ostro/kernels/libostro.*
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
