# Everything a checkout needs. The first call makes .venv, which takes a minute or two; later ones are quick. `make pages`
# needs Node alone, and gets one where there is none.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODULES := web/node_modules/.ready
PAGES := src/coverslip/app/static/index.html
PAGE_SOURCES := $(shell find web/src web/public -type f) $(wildcard docs/*.md web/*.html web/*.ts web/*.js) web/package.json

# Two workers; tests are assigned by what they share (tests/conftest.py). With four on two cores, tests took longer, since
# programs and browsers compete. Compiled modules are
# kept whatever the environment says: the many programs that tests start would each compile all of coverslip again.
# If a worker crashes, the tests end: with a new worker, xdist can wait forever for tests that it has not assigned.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 2 --dist loadgroup --max-worker-restart 0

.PHONY: app demo pages programs ready test test-all quick nightly lint api bench lock licenses sbom audit docs wheel packages

app: $(READY) $(PAGES)  ## the web app, in the browser; make app ARGS="--port 9000"
	$(BIN)/coverslip app $(ARGS)

demo: $(READY)  ## the main job on synthetic images, offline: demo/
	$(BIN)/coverslip demo --out demo

pages: $(PAGES)  ## the app's pages, built into the package

programs: $(READY)
	.ci/programs

ready:  ## all that the tests need: Python's packages and programs, and beside them the pages
	$(MAKE) --no-print-directory --jobs=2 programs $(PAGES)

test: ready  ## what every change must pass
	.ci/npm run test
	$(PYTEST) -m "not exhaustive"

test-all: ready  ## also the slow variants of tests, numbers for every network, and more examples
	.ci/npm run test
	$(PYTEST) --hypothesis-profile=exhaustive

nightly: $(READY) $(PAGES)  ## hours: also many requests to each route, and fuzzing of each image reader, from files below COVERSLIP_DATA
	$(MAKE) test-all
	$(PYTEST) --hypothesis-profile=nightly tests/test_app_shell.py -k no_request_that_fits_the_document
	.ci/fuzz

quick: $(READY)  ## the tests that take less than about half a second each
	$(PYTEST) -m "not slow and not exhaustive"

lint: $(READY) $(MODULES)  ## style, types (ours, and those that scripts meet), the arrows between rooms; the pages' too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/mypy --strict --config-file= --follow-imports=silent tests/public_api.py
	.ci/npm run pyright
	$(BIN)/lint-imports
	$(BIN)/python .ci/licenses.py
	.ci/npm run check
	$(BIN)/python -m coverslip.app.openapi | diff web/openapi.json - || { echo "run: make api"; exit 1; }
	$(BIN)/python -m coverslip.server.openapi | diff web/openapi-accounts.json - || { echo "run: make api"; exit 1; }

api: $(READY) $(MODULES)  ## the API's document, and the types that the pages take from it
	$(BIN)/python -m coverslip.app.openapi > web/openapi.json
	$(BIN)/python -m coverslip.server.openapi > web/openapi-accounts.json
	.ci/npm run types

bench: $(READY)  ## list the benchmarks, or run one: make bench SCRIPT=spot_checks ARGS="--help"; asserts nothing
	@if [ -z "$(SCRIPT)" ]; then \
		for script in benchmarks/[!_]*.py; do echo "$$(basename $$script .py): $$(sed -n '1s/^"*//;1s/"*$$//p' $$script)"; done; \
	else env -u PYTHONDONTWRITEBYTECODE $(BIN)/python benchmarks/$(SCRIPT).py $(ARGS); fi

.PHONY: results
results: $(READY)  ## benchmarks/RESULTS.md from the records in benchmarks/results; lists records that are older than their code
	$(BIN)/python benchmarks/make_results.py

lock:  ## after a change of constraints.txt or of dependencies: the hashes in .ci/locked; make lock ARGS=--upgrade
	.ci/lock $(ARGS)

licenses: $(READY)  ## fails where a copyleft license is among what users install
	$(BIN)/python .ci/licenses.py

sbom: $(READY)  ## what is installed and what the pages are built of, as CycloneDX: sbom/
	mkdir -p sbom
	.ci/tools cyclonedx-py environment $(abspath $(BIN)/python) --output-format JSON --output-file $(abspath sbom)/python.json
	.ci/npm sbom --package-lock-only --sbom-format cyclonedx > sbom/pages.json

audit:  ## known vulnerabilities of all that is locked; asks services on the network, and fails where one gives no answer
	.ci/audit

docs:  ## the documentation as a site, every link checked: site/
	"$$(.ci/python)" docs/make_site.py site

wheel: $(READY) $(PAGES)  ## the wheel, built twice and byte for byte the same, with the metadata of a registry: dist/
	$(BIN)/python .ci/wheel.py

packages: $(PAGES)  ## .deb and .run for Linux, without Python or a terminal on the users' side: dist/; TRAIN=train: with PyTorch
	packaging/linux.sh $(TRAIN)

$(READY): pyproject.toml .ci/locked/base.txt .ci/locked/cuda.txt .ci/locked/torch-cpu.txt .ci/setup .ci/install .ci/python
	.ci/setup $(VENV)
	touch $@

$(MODULES): web/package-lock.json
	.ci/npm ci --ignore-scripts --no-audit --no-fund
	touch $@

$(PAGES): $(MODULES) $(PAGE_SOURCES)
	.ci/npm run build -- --logLevel warn
