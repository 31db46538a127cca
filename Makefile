# `make demo` and `make test` need nothing but Python 3.11 or newer: each makes .venv and installs what it needs,
# once. Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A stamp is as young as the last installation; a change of the two files below makes it stale.
BASE := $(VENV)/.installed-base
DEV := $(VENV)/.installed-dev

# The two workers of pytest share the cores: with one thread each, small tensors lose little and nobody waits. What a
# user runs (make demo, framecast) takes all cores, or what OMP_NUM_THREADS says.
ONE_THREAD := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1}
# Whatever the shell says: without compiled files each process of the tests would compile the package and them again.
export PYTHONDONTWRITEBYTECODE :=
MAKEFLAGS += --no-print-directory

.PHONY: help demo test test-fast portable slow lint docs format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    forecast a synthetic Sun and write a report to ./demo (a minute or two after installation)"
	@echo "make test-fast  those of the tests that take a moment: a minute on two cores"
	@echo "make test    the tests"
	@echo "make portable  forecasting, training and resuming as older processors compute"
	@echo "make slow    the tests that take minutes"
	@echo "make lint    ruff and mypy"
	@echo "make docs    the documentation site, in build/docs/html"
	@echo "make format  let ruff put the files into shape"
	@echo "make clean   remove .venv, caches and ./demo"

demo: $(BASE)
	@$(BIN)/framecast demo

test: $(DEV)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile

# For daily work: without the tests that train, draw, prepare or judge as a whole.
test-fast: $(DEV)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow and not thorough'

# Exit code 5 of pytest: there is no slow test.
slow: $(DEV)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile -m slow || [ $$? -eq 5 ]

# PyTorch and oneDNN can be told to do without newer instructions: first without AVX, then as far as AVX2.
portable: $(DEV)
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 \
		$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile -m 'portable and not slow'
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 \
		$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadfile -m 'portable and not slow'

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Warnings are errors, among them links within the site that lead nowhere. The examples are executed.
docs: $(DEV)
	$(ONE_THREAD) $(BIN)/python -m sphinx -W --keep-going -q -b html -d build/docs/doctrees docs build/docs/html
	@echo build/docs/html/index.html

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || \
		{ echo "framecast needs Python 3.11 or newer, and there is no $(PYTHON): make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "framecast needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1): make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(BASE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing framecast into $(VENV), once: a minute or two, of which PyTorch is most"
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing framecast and its test tools into $(VENV), once: some minutes"
	@$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(BASE)
