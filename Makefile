# make setup   a .venv with pinned dependencies, the shipped targets' included, and a sandbox
# make demo    the main job on a shipped target: branches, ledger, report
# make test    the tests
# make check   lint, types, layers
# make wheel   builds sdist and wheel, installs the wheel in a bare environment, runs the command
# make bench   every benchmark, quick
# make docs    the pages of docs/defects, from the detectors' docstrings
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_TARGET ?= digits_faulty
DEMO_BUDGET ?= 5m20s
export OMP_NUM_THREADS ?= 1

.PHONY: setup demo test check wheel bench docs clean
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "branchlab needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[sandbox,models,demo,dev]'
	@touch $@

demo: setup
	$(BIN)/branchlab doctor
	$(BIN)/branchlab run $(DEMO_TARGET) --budget $(DEMO_BUDGET) --jobs 2

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: setup
	rm -rf dist build/wheel-smoke
	$(BIN)/python -m build --outdir dist
	$(PYTHON) -m venv build/wheel-smoke
	build/wheel-smoke/bin/pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl
	cd build && wheel-smoke/bin/branchlab --version && wheel-smoke/bin/branchlab map digits_faulty

bench: setup
	for b in benchmarks/*.py; do echo "$$b" >&2; $(BIN)/python $$b --quick || [ $$? = 2 ] || exit 1; done  # 2: sources it needs are not there

docs: setup
	$(BIN)/python docs/make_defect_pages.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
