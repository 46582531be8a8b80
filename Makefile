# The lab's commands. Each installs what it needs into VENV first; `make help` lists them.
# Variables: PORT, DATA_DIR and whatever .env.example lists; VENV and PYTHON for the installation; ARGS for pytest.

PYTHON ?= python3
VENV ?= $(CURDIR)/.venv
JOBS ?= 2
ARGS ?=
override VENV := $(abspath $(patsubst ~/%,$(HOME)/%,$(VENV)))
export VENV

# Standard library only, so any Python 3 can say what is missing.
IN_LAB = @command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON) on the PATH: install Python 3.11 or \
newer, or name one: make $@ PYTHON=/path/to/python3" >&2; exit 1; }; exec $(PYTHON) aarweb/lab/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run test lint style layout contracts types bench redteam check dev clean

help:  ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run:  ## Starts the whole lab and prints a link that logs you in; PORT and DATA_DIR say where
	$(IN_LAB) manage.py up

test:  ## Runs all tests; ARGS="tests/api -k name" runs some
	$(IN_LAB) --dev -m pytest -n $(JOBS) --dist worksteal $(ARGS)

lint: style layout contracts types  ## Style, layout, import contracts and types; `make -k lint` goes on after a failure

style: dev
	@"$(VENV)/bin/ruff" check .

layout: dev
	@"$(VENV)/bin/ruff" format --check .

contracts: dev
	@"$(VENV)/bin/lint-imports"

types: dev
	@SECRET_KEY=only-for-mypy "$(VENV)/bin/mypy"

bench:  ## Measures what should be fast, as ratios in one run; ARGS="heads pages" runs some
	$(IN_LAB) --dev -m bench $(ARGS)

redteam: export REDTEAM_HONEST ?= 500
redteam: export REDTEAM_SEEDS ?= 3
redteam:  ## Attacks the lab through its real doors, beside honest research; prints what was prevented or detected by what
	$(IN_LAB) --dev -m pytest -s -q tests/redteam $(ARGS)

check: lint test  ## What a change must pass: lint and test

dev:  ## Installs the lab and what tests, lint and bench need, and nothing else
	$(IN_LAB) --dev

clean:  ## Removes .venv and the tools' caches; a lab's state (DATA_DIR) stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.data/*' -prune -exec rm -rf {} +
