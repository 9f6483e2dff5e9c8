# Two commands from a fresh clone: `make demo` and `make test`. Each sets up .venv itself.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
# Minutes that the demo trains for.
MINUTES ?= 2
# What the photographs suffer.
RECIPE := examples/faded-snapshots.toml

.PHONY: help demo test test-slow check format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    damage photographs, train skip-vae on them, restore others, score the result"
	@echo "make test    run the tests"
	@echo "make check   lint, formatting, types"
	@echo "make format  format the code"

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "artrestore needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: .venv/installed
	rm -rf $(DEMO)
	$(BIN)/python examples/write_photographs.py $(DEMO)/clear
	$(BIN)/artrestore damage $(DEMO)/clear/test $(DEMO)/damaged --recipe $(RECIPE) --variants 6
	$(BIN)/artrestore train $(DEMO)/clear/train --recipe $(RECIPE) --minutes $(MINUTES) --batch-size 16 --out $(DEMO)/run
	$(BIN)/artrestore restore $(DEMO)/damaged $(DEMO)/restored --weights $(DEMO)/run/best.safetensors
	$(BIN)/artrestore score $(DEMO)/restored $(DEMO)/clear/test --damaged $(DEMO)/damaged --sheet $(DEMO)/sheet.png
	@echo
	@echo "Damaged pictures:  $(DEMO)/damaged"
	@echo "Restored pictures: $(DEMO)/restored"
	@echo "Side by side:      $(DEMO)/sheet.png"

test: .venv/installed
	$(BIN)/python -m pytest -m 'not slow'

test-slow: .venv/installed
	$(BIN)/python -m pytest -m slow

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv $(DEMO) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
