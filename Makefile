# Everything a checkout needs. The first call of any target makes .venv, which takes a few minutes; later ones are quick.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test quick lint bench

demo: $(READY)  ## the main job on synthetic images, offline: demo/
	$(BIN)/coverslip demo --out demo

test: $(READY)  ## all tests
	$(BIN)/python -m pytest -n 2

quick: $(READY)  ## the tests that take less than a few seconds each
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(READY)  ## style, types, and the arrows between rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## measure; prints ratios, asserts nothing
	for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

$(READY): pyproject.toml constraints.txt .ci/setup
	.ci/setup $(VENV)
	touch $@
