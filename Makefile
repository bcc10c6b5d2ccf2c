# Two commands on a fresh machine: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: demo test test-slow check format setup clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       train on drawn street scenes, evaluate, predict, write a report (about 3 minutes)"
	@echo "make test       checks, then the tests (under 10 minutes)"
	@echo "make test-slow  the slow tests: kills and the like"
	@echo "make check      ruff (format and lint) and mypy strict"
	@echo "make format     let ruff rewrite the files"

# The marker is newer than what it depends on once everything is installed.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fullconv needs Python 3.11 or newer; $(PYTHON) is older. Say: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(VENV)/.ready

demo: setup
	$(BIN)/fullconv demo

check: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

test: check
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test

test-slow: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test -m slow

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .mypy_cache
