# Two commands from a fresh clone: `make demo` and `make test`. Each sets up .venv itself.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
# What the photographs suffer.
RECIPE := examples/grainy-photographs.toml

.PHONY: help demo test test-slow check format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    damage photographs, restore them with the bundled weights, score the result"
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
	$(BIN)/artrestore damage $(DEMO)/clear $(DEMO)/damaged --recipe $(RECIPE) --variants 2
	$(BIN)/artrestore restore $(DEMO)/damaged $(DEMO)/restored --uncertainty
	$(BIN)/artrestore score $(DEMO)/restored $(DEMO)/clear --damaged $(DEMO)/damaged --sheet $(DEMO)/sheet.png
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
