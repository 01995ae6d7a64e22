# Python 3.11 or newer and make are all that has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := .ultravires

.PHONY: help install demo dev test lint types stress cases oracles spark bench docs constraints clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

install: $(VENV)/.installed ## create .venv and install, hashes verified

$(VENV)/.installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12"; exit 1; }
	@echo "installing into $(VENV) (once; a few minutes at most)"
	@$(PYTHON) -m venv $(VENV)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r constraints.txt
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip --disable-pip-version-check check >/dev/null
	@touch $@

demo: install ## run the main job on data/samples and say where report and alerts are
	@$(BIN)/ultravires run --input data/samples --home $(HOME_DIR) --config data/samples/ultravires.yaml --as-of 2026-10-14T23:00:00Z

dev: install ## open Dagster's page on the samples
	@$(BIN)/ultravires dev --input data/samples --home $(HOME_DIR) --config data/samples/ultravires.yaml

test: install lint types ## lint, types and tests
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

stress: install ## the long randomised runs
	@$(BIN)/pytest -n 2 -m stress

cases: install ## small inputs and what is right about each: make cases DIR=folder [ONLY="08 10"]
	@test -n "$(DIR)" || { echo "say which folder: make cases DIR=folder"; exit 2; }
	@$(BIN)/python tests/run_cases.py $(DIR) $(ONLY)

spark: install ## the SQL tables on Spark as on DuckDB (needs Java 17; some minutes)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[spark]'
	@$(BIN)/pytest -m spark

oracles: install ## install evaluators by others, with which tests compare ours (one needs Node)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps pysigma-backend-sqlite==2.1.1
	@npm ci --prefix tests/oracles/iam_simulate --no-audit --no-fund --silent

bench: install ## the ratios of docs/performance.md (half an hour)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python bench/ingest.py
	@$(BIN)/python bench/sources.py
	@$(BIN)/python bench/small_files.py
	@$(BIN)/python bench/new_hour.py
	@$(BIN)/python bench/whole_run.py
	@$(BIN)/python bench/tiny_run.py
	@$(BIN)/python bench/many_events.py
	@$(BIN)/python bench/entitlements.py
	@$(BIN)/python bench/rules.py

docs: install ## write docs/sources.md, docs/issuing.md, docs/tables.md and the snapshot of the asset graph from what the code says
	@$(BIN)/python -c 'from pathlib import Path; from ultravires.sources.catalog import as_markdown; Path("docs/sources.md").write_text(as_markdown(), encoding="utf-8")'
	@$(BIN)/python -c 'from pathlib import Path; from ultravires.sources.issuing import as_markdown; Path("docs/issuing.md").write_text(as_markdown(), encoding="utf-8")'
	@$(BIN)/python -c 'from pathlib import Path; from ultravires.build.tables_page import as_markdown; Path("docs/tables.md").write_text(as_markdown(), encoding="utf-8")'
	@UPDATE_SNAPSHOTS=1 $(BIN)/pytest tests/test_dagster.py -k snapshot

constraints: install ## resolve constraints.txt anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --universal --python-version 3.11 --extra test --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o constraints.txt

clean:
	@rm -rf $(VENV) $(HOME_DIR) .mypy_cache .ruff_cache .pytest_cache
