# Everything runs from .venv, which `scripts/install` makes on first use and reuses afterwards.
# ARGS is handed on: make serve ARGS="hello.yaml", make test ARGS="-k timers"

.DEFAULT_GOAL := help
.PHONY: help demo serve bench bench-quick bench-pg test test-quick check format docs lock clean core-set test-set simulate vectors mutations mutation-seeds

BIN := .venv/bin
export PYTHONNOUSERSITE := 1
# Else each of the hundreds of processes that tests begin compiles all of src/ for itself.
unexport PYTHONDONTWRITEBYTECODE

help:           ## show this list
	@sed -n 's/^\([a-z-]*\): .*## /\1|/p' Makefile | while IFS='|' read -r name what; do printf '  make %-11s %s\n' "$$name" "$$what"; done

demo: core-set          ## a tenant is set up from an event; the server is killed and comes back
	@$(BIN)/ostinato demo $(ARGS)

serve: core-set         ## run a server here (ARGS="hello.yaml")
	@$(BIN)/ostinato serve $(ARGS)

bench: core-set         ## measure every workload beside DBOS, write docs/benchmarks/ (ARGS="--rounds 3")
	@mkdir -p .cache
	@$(BIN)/ostinato bench all --peer dbos --json $(ARGS) >.cache/bench.json
	@$(BIN)/python -m benchmarks.report .cache/bench.json docs/benchmarks

bench-quick: core-set   ## W1 and W3 beside DBOS, under a minute; the last line is JSON
	@$(BIN)/ostinato bench W1 W3 --peer dbos --rounds 3 --json $(ARGS)

bench-pg: test-set       ## the same on PostgreSQL, beside DBOS, Restate and pgbench (ARGS="--rounds 3")
	@mkdir -p .cache
	@$(BIN)/python -m benchmarks.postgresql $(ARGS) >.cache/bench-postgresql.json
	@$(BIN)/python -m benchmarks.report .cache/bench-postgresql.json docs/benchmarks

simulate: test-set      ## crash a simulated engine everywhere (SEEDS=10000; SEED=123 plays one again; ARGS="--store postgres")
	@$(BIN)/python -m tests.simulation.served --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),0) $(if $(SEED),--seed $(SEED)) $(ARGS)

mutations: test-set     ## remove the code behind each promise: the simulation must turn red (minutes)
	@$(BIN)/pytest tests/simulation/each_mutation.py $(ARGS)

mutation-seeds: test-set ## write down which seed finds each mutation (ARGS="--only limit")
	@$(BIN)/python -m tests.simulation.finding $(ARGS)

test: test-set          ## all tests; what this machine cannot offer is skipped by name
	@$(BIN)/pytest -n 4 --dist worksteal $(ARGS)

test-quick: test-set    ## tests without servers, under a minute
	@$(BIN)/pytest -m "not real and not slow" $(ARGS)

check: test-set         ## format, lint, types, import contracts, architecture
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	@$(BIN)/pytest -q tests/test_architecture.py tests/test_exports.py

format: test-set        ## write the format and the safe mends of the linter
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

docs: test-set          ## check the pages: every link resolves, every sample runs
	@$(BIN)/pytest -q tests/test_docs.py $(ARGS)

# Pins hold hashes and no address. The test set comes first: the others take their versions from it.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(ARGS)

lock:                   ## write requirements/ again after a change of pyproject.toml (needs uv; ARGS="--upgrade")
	@$(LOCK) pyproject.toml --group build --group test -o requirements/test.txt
	@$(LOCK) pyproject.toml -c requirements/test.txt -o requirements/core.txt
	@$(LOCK) --group build -c requirements/test.txt -o requirements/build.txt
	@$(LOCK) --group bench -o requirements/bench.txt
	@$(LOCK) --group dbos -o requirements/dbos.txt
	@$(LOCK) --group restate -o requirements/restate.txt

vectors: test-set       ## ask moto and event-ruler for their answers again (needs Java and Maven)
	@$(BIN)/python -m tests.core.patterns.moto_sns
	@$(BIN)/python -m tests.core.patterns.record

clean:                  ## remove .venv, caches and what was built
	@rm -rf .venv .cache .hypothesis dist
	@find src tests -name __pycache__ -type d -exec rm -rf {} +

core-set:
	@scripts/install core

test-set:
	@scripts/install test
