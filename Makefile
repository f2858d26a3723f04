# The two commands of the README, and what maintainers need. Everything happens inside .venv, since Debian's
# pip refuses to install outside a virtual environment.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints/tested.txt
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DATA ?=
MODEL ?= paper

.PHONY: demo test check models constraints clean

demo: $(VENV)/.demo ## set up, then convert, check and classify with what is shipped
	$(BIN)/hemline demo $(if $(DATA),--data $(DATA))

test: $(VENV)/.dev ## set up, then run all tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.dev ## lint, format and types, as CI has them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

models: $(VENV)/.demo ## rebuild a shipped model, MODEL=paper, from RUN=runs/optimized-1 (see CONTRIBUTING.md)
	cp $(RUN)/model.keras runtime/hemline/models/$(MODEL).keras
ifeq ($(MODEL),wardrobe)
	$(BIN)/python -m hemline_train.wardrobe.drawn_photos --out dist/drawn-photos
	$(BIN)/hemline convert wardrobe --int8 --data wardrobe --golden-data dist/drawn-photos \
		--no-report --out runtime/hemline/models
else
	$(BIN)/hemline convert $(MODEL) --int8 --data $(if $(filter compact,$(MODEL)),wardrobe,fashion-mnist) \
		--golden-data drawn --no-report --out runtime/hemline/models
endif

constraints: $(VENV)/.dev ## pin anew what is tested
	$(PIP_INSTALL) uv
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --python-version 3.11 \
		--all-extras --group dev pyproject.toml --output-file $(CONSTRAINTS)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hemline needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	@echo "installing hemline with TensorFlow into $(VENV), about 3 GB on the disk: some minutes the first time"
	$(PIP_INSTALL) --upgrade "pip>=25.1"
	$(PIP_INSTALL) --constraint $(CONSTRAINTS) --editable '.[all]'
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP_INSTALL) --constraint $(CONSTRAINTS) --group dev
	touch $@

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
