# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest
BIN := $(VENV)/bin
OUT ?= demo
PIP := -m pip install --quiet --disable-pip-version-check --no-compile
DATA := $(if $(LENTIGO_DATA),--data "$(LENTIGO_DATA)",)

# pip would compile every module of every package, one after the other; so each is compiled at its first import and kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo try test test-slow test-lowest lint docs format clean

demo: $(VENV)/.trains  ## train, evaluate, export, classify and draw, on synthetic lesions or on LENTIGO_DATA
	$(BIN)/lentigo demo --out "$(OUT)" $(DATA)
	@echo "Open docs/try/index.html in a browser: the model that ships, for your own images."

try: $(VENV)/.installed  ## docs/try/index.html: the page with the model that ships
	$(BIN)/python tools/try_page.py

test: $(VENV)/.installed lint  ## everything that must hold before a commit
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --durations 20

test-slow: $(VENV)/.installed  ## the tests that take long
	$(BIN)/python -m pytest -n auto --dist worksteal -m slow

test-lowest: $(LOWEST)/.installed  ## the tests with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m pytest -n auto --dist worksteal -m "not slow"

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers auto
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check_circles.py
	$(BIN)/python tools/check_words.py

docs: $(VENV)/.installed  ## the site, into site/: API reference, tutorial, results; needs no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Stamps are newer than pyproject.toml when what it names is installed: for the demo what it needs, else everything.
$(VENV)/.trains: EXTRA := train
$(VENV)/.installed: EXTRA := dev
$(VENV)/.trains $(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --editable ".[$(EXTRA)]"
	touch $(VENV)/.trains $@

$(LOWEST)/.installed: pyproject.toml tools/lowest.py
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python $(PIP) packaging
	$(LOWEST)/bin/python tools/lowest.py dev > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python $(PIP) --editable ".[dev]" \
		--constraint $(LOWEST)/constraints.txt
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) demo site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
