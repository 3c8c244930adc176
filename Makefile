# The two commands of a newcomer: `make run` (the main job) and `make test`.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: run test test-slow test-inputs test-faults gpu mutants lint docs format clean

run: $(READY)
	$(BIN)/python ray_jobs/full_pipeline.py

test: $(READY)
	$(BIN)/pytest --numprocesses 2 --dist loadgroup

test-slow: $(READY)
	$(BIN)/pytest -m slow

test-inputs: $(READY)
	$(BIN)/pytest -q -s tests/data/test_odd_inputs.py

test-faults: $(READY)
	$(BIN)/pytest -m faults tests/faults

gpu: $(READY)
	$(BIN)/pytest -m gpu

mutants: $(READY)
	$(BIN)/python tests/mutants/run.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/mkdocs build --strict

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache site
