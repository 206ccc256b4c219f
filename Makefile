# Two commands do all the set-up: `make bench` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*/pyproject.toml)
EDITABLE := -e . $(foreach file,$(PLUGINS),-e $(dir $(file)))
SOURCES := gentex plugins benchmarks tests

.PHONY: bench test slow lint docs clean

bench: $(VENV)/.installed
	$(BIN)/python -m gentex.bench

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy -p gentex $(foreach package,$(wildcard plugins/*/gentex_*),-p $(notdir $(package)))
	MYPYPATH=benchmarks/studies $(BIN)/mypy benchmarks/speed benchmarks/recipes benchmarks/studies
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) gentex-runs site

# torchvision decides which torch: both are resolved afresh, into an environment of their own.
$(VENV)/.installed: pyproject.toml $(PLUGINS)
	$(PYTHON) -c 'import sys; sys.exit("gentex needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(EDITABLE)
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	touch $@
