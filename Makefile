# On a fresh machine: `make demo` or `make test`. Both create .venv first; the demo needs less in it.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help demo test test-slow check format setup docs site notebooks figures pictures runtime clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       install, train on photos that come along, show the result (3 minutes after the install)"
	@echo "make setup      create .venv and install fullconv, its optional features and what its tests need"
	@echo "make test       make check, then the tests (about 10 minutes)"
	@echo "make test-slow  the slow tests: interrupted jobs, clusters, large images, fuzzing, and pages\n                in Chromium, Firefox and WebKit if they are installed (about 30 minutes)"
	@echo "make check      ruff (format and lint) and mypy in strict mode"
	@echo "make format     format and fix the code with ruff"
	@echo "make docs       write the reference pages of docs/ from the code"
	@echo "make site       build the documentation as a website, English and Chinese: build/site/"
	@echo "make notebooks  run the notebooks and write them with their output: build/notebooks/"
	@echo "make figures   draw the figures and the microscope of docs/course/ (a minute)"
	@echo "make pictures   draw the pictures of the README (about 3 minutes; a screenshot needs Chromium)"
	@echo "make runtime    fetch ONNX Runtime Web by npm, for pages and their tests"
	@echo "make clean      remove .venv, runs and caches"
	@echo
	@echo "make ... PYTHON=python3.12 uses another interpreter (default: python3.11, or else python3)"
	@echo "After make setup: source .venv/bin/activate"

# Each marker is newer than its dependencies once everything is installed.
$(VENV)/.installed: pyproject.toml constraints.txt constraints-cuda.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fullconv needs Python 3.11 or newer; $(PYTHON) is older. Name another interpreter: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/install.py
	@touch $@

$(VENV)/.ready: $(VENV)/.installed constraints-dev.txt
	$(BIN)/python scripts/install.py --dev
	@touch $@

setup: $(VENV)/.ready

demo: $(VENV)/.installed
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

site: setup
	$(BIN)/python scripts/make_site.py

notebooks: setup
	$(BIN)/python scripts/make_notebooks.py

figures: setup
	$(BIN)/python scripts/figures.py

docs: setup
	$(BIN)/python scripts/make_docs.py

pictures: setup
	$(BIN)/python scripts/pictures.py

runtime: setup
	$(BIN)/python scripts/fetch_runtime.py

clean:
	rm -rf $(VENV) runs .pytest_cache .ruff_cache .mypy_cache
