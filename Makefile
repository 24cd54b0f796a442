# Everything a checkout needs. The first call of any target makes .venv, which takes a few minutes; later ones are quick.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODULES := web/node_modules/.ready
PAGES := src/coverslip/app/static/index.html
PAGE_SOURCES := $(shell find web/src web/public -type f) $(wildcard web/*.html web/*.ts web/*.js) web/package.json

.PHONY: app demo pages test quick lint api bench

app: $(READY) $(PAGES)  ## the web app, in the browser; make app ARGS="--port 9000"
	$(BIN)/coverslip app $(ARGS)

demo: $(READY)  ## the main job on synthetic images, offline: demo/
	$(BIN)/coverslip demo --out demo

pages: $(PAGES)  ## the app's pages, built into the package

test: $(READY) $(PAGES)  ## all tests
	.ci/chromium
	.ci/npm run test
	$(BIN)/python -m pytest -n 2 --dist loadgroup

quick: $(READY)  ## the tests that take less than a few seconds each
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

lint: $(READY) $(MODULES)  ## style, types, the arrows between rooms; the pages' too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.ci/npm run check
	$(BIN)/python -m coverslip.app.openapi | diff web/openapi.json - || { echo "run: make api"; exit 1; }
	.ci/npm run types -- --check || { echo "run: make api"; exit 1; }

api: $(READY) $(MODULES)  ## the API's document, and the types that the pages take from it
	$(BIN)/python -m coverslip.app.openapi > web/openapi.json
	.ci/npm run types

bench: $(READY)  ## measure; prints ratios, asserts nothing
	for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

$(READY): pyproject.toml constraints.txt .ci/setup
	.ci/setup $(VENV)
	touch $@

$(MODULES): web/package-lock.json | $(READY)
	.ci/npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(PAGES): $(MODULES) $(PAGE_SOURCES)
	.ci/npm run build
