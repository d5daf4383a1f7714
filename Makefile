# Needs make and a Python of 3.11 or newer with its venv module; everything else goes into $(VENV).
# `make PYTHON=/path/to/python` chooses the interpreter.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PEERS := .venv-peers
AUDITOR := .venv-audit
JAVASCRIPT := tests/end_to_end/javascript
JAVASCRIPT_INSTALLED := $(JAVASCRIPT)/node_modules/.installed
# 3.13 and later come last: one package that only tests need has no wheels for them.
PYTHONS := $(or $(PYTHON),python3.12 python3.11 python3 python3.13 python3.14)
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade

.DEFAULT_GOAL := help
.PHONY: help install fmt check test audit run bench bench-analytics bench-metrics kill-rounds workflow-kills chaos schema-fuzz diagrams soak scan-sizes lock

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-18s %s\n' "$$name" "$$what"; done

install: $(INSTALLED) ## make the virtual environment

fmt: $(INSTALLED) ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(INSTALLED) ## lint, format and types, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

test: $(INSTALLED) $(JAVASCRIPT_INSTALLED) ## run every test
	$(BIN)/pytest -n 2 --dist worksteal

audit: $(INSTALLED) ## look for known vulnerabilities of what is pinned; without network only the pins are checked
	$(BIN)/pytest -q tests/test_dependencies.py
	@$(BIN)/python -m venv $(AUDITOR); rm -f $(AUDITOR)/report.json; \
	$(AUDITOR)/bin/python -m pip install --quiet --disable-pip-version-check --retries 0 --timeout 10 'pip-audit>=2.9' 2>/dev/null && \
	{ $(AUDITOR)/bin/pip-audit --require-hashes --disable-pip --progress-spinner off --timeout 10 --format json \
		--output $(AUDITOR)/report.json --requirement requirements.lock; code=$$?; }; \
	if [ ! -s $(AUDITOR)/report.json ]; then \
		echo 'The advisories cannot be reached from here: the pins were checked, and nothing else.'; \
	elif [ $$code -ne 0 ]; then \
		$(BIN)/python -m json.tool $(AUDITOR)/report.json; exit $$code; \
	fi

run: $(INSTALLED) ## serve on an embedded SQLite database in ./data
	$(BIN)/collab-studio serve

bench: $(INSTALLED) ## measure beside other servers, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-analytics: $(INSTALLED) $(PEERS)/.installed ## measure analytics beside their peers, into benchmarks/ANALYTICS.md
	$(BIN)/python -m benchmarks.associations --peers $(PEERS)/bin/python

bench-metrics: $(INSTALLED) ## measure samples, questions, rules and collecting, into benchmarks/METRICS.md
	$(BIN)/python -m benchmarks.samples
	$(BIN)/python -m benchmarks.ingest --keep
	$(BIN)/python -m benchmarks.metric_queries --keep
	$(BIN)/python -m benchmarks.alert_rules
	$(BIN)/python -m benchmarks.alert_panels
	$(BIN)/python -m benchmarks.collection --keep

kill-rounds: $(INSTALLED) ## kill a server at 50 random moments and look for what it had stored
	KILL_ROUNDS=50 $(BIN)/pytest tests/end_to_end/test_kill_rounds.py

workflow-kills: $(INSTALLED) ## kills processes at 60 random moments under random workflows, on SQLite and on PostgreSQL
	WORKFLOW_KILLS=60 $(BIN)/pytest -s tests/handlers/workflow_runs/test_kills.py

chaos: $(INSTALLED) $(JAVASCRIPT_INSTALLED) ## three nodes under faults: make chaos CHAOS_SECONDS=600
	CHAOS_SECONDS=$(or $(CHAOS_SECONDS),60) $(BIN)/pytest -s tests/end_to_end/test_chaos.py

scan-sizes: $(INSTALLED) ## scans of 300 tables, a million rows of files, ten million of Parquet
	SCAN_ROWS=1000000 SCAN_TABLES=300 SCAN_PARQUET_ROWS=10000000 $(BIN)/pytest -s tests/handlers/scans/test_whole_sources.py

schema-fuzz: $(INSTALLED) ## the whole API under schemathesis: make schema-fuzz SCHEMA_FUZZ_SECONDS=3600
	SCHEMA_FUZZ_SECONDS=$(or $(SCHEMA_FUZZ_SECONDS),600) $(BIN)/pytest -s tests/end_to_end/test_api_schema.py

diagrams: $(INSTALLED) ## ten people at one diagram: make diagrams DIAGRAM_SECONDS=60
	DIAGRAM_SECONDS=$(or $(DIAGRAM_SECONDS),60) $(BIN)/pytest -s --timeout 600 tests/server/test_diagrams_together.py

soak: $(INSTALLED) ## rooms open and close for ten minutes: make soak SOAK_SECONDS=600
	SOAK_SECONDS=$(or $(SOAK_SECONDS),600) $(BIN)/pytest -s tests/end_to_end/test_soak.py

lock: $(INSTALLED) ## resolve the dependencies anew (needs uv)
	printf 'hatchling\neditables\n' | $(UV_COMPILE) --all-extras --output-file requirements.lock pyproject.toml -
	$(UV_COMPILE) --extra prediction --output-file requirements.server.lock --constraint requirements.lock pyproject.toml

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "$$python -m venv $(VENV)"; exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo 'No Python 3.11 or newer with the venv module was found; tried: $(PYTHONS).' >&2; \
	echo 'Install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python' >&2; \
	exit 1

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable clients/python
	@touch $@

# What analytics are measured beside has an environment of its own: the server's is not to hold pandas' pins.
$(PEERS)/.installed: benchmarks/peers/analytics.txt | $(BIN)/python
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers/analytics.txt
	@touch $@

# The lock file names no registry: npm takes the one it is set up with. Node itself comes from a wheel.
$(JAVASCRIPT_INSTALLED): $(JAVASCRIPT)/package.json $(JAVASCRIPT)/package-lock.json $(INSTALLED)
	cd $(JAVASCRIPT) && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
