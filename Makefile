# make search   environment, dependencies, a search on the digits, where to look next
# make test     environment, dependencies, all tests but those that take long
# make test-long  those that take long
# make check    lint and types, as CI does before the tests
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: search test test-long check clean

search: $(VENV)/installed
	$(BIN)/blockqnn search

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-long: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m long

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "blockqnn needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: requirements-dev.txt requirements-ray.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt --requirement requirements-ray.txt
	touch $@
