# Everything that is run here more than once. `make demo` and `make test` need nothing but Python 3.11 to 3.13 and make.

# The first interpreter that is new enough; a version manager's shims may exist and still not run.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
SOURCES := opstool consumer bench tests

.PHONY: help
help:
	@echo 'make demo      the whole story on an embedded AWS, no account needed'
	@echo 'make test      the tests'
	@echo 'make servers   the servers that the tests also run against, each in an environment of its own'
	@echo 'make faults    crashes, faults and servers that we did not write: all of it, up to 20 minutes'
	@echo 'make faults-short  a part of it, up to 8 minutes'
	@echo 'make check     lint, types, and what the repository promises about itself'
	@echo 'make bench     what it costs beside other programs, on a loopback endpoint: 10 minutes; writes docs/benchmarks.md'
	@echo 'make bench-short  does the benchmark still work? A minute, and no times'
	@echo 'make pictures  the pictures of the README, drawn anew from the demo'
	@echo 'make template  the template through the real SAM CLI: validate, build, deploy, run, delete'
	@echo 'make clean     what the other targets have installed'

.PHONY: demo
demo: .venv/demo.ready
	@$(BIN)/opstool demo

# Three for two cores: many of them wait for a server.
TEST_WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) '*' 3 / 2)

.PHONY: test
test: .venv/dev.ready
	$(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal --ignore tests/faults

.PHONY: servers
servers: .venv/dev.ready
	$(BIN)/python -m tests.servers.install

# Two for each core: they wait for leases more than they work.
FAULT_WORKERS = $(shell expr 2 '*' $$(getconf _NPROCESSORS_ONLN))

.PHONY: faults
faults: .venv/dev.ready
	FAULTS=full $(BIN)/pytest -n $(FAULT_WORKERS) --dist worksteal tests/faults tests/hostile/test_fuzz.py tests/properties/test_state_machine.py

.PHONY: faults-short
faults-short: .venv/dev.ready
	$(BIN)/pytest -n $(FAULT_WORKERS) --dist worksteal tests/faults

.PHONY: bench
bench: .venv/dev.ready .venv-bench/ready
	$(BIN)/python -m bench.run

.PHONY: bench-short
bench-short: .venv/dev.ready
	$(BIN)/python -m bench.run --short > /dev/null

.PHONY: pictures
pictures: .venv/dev.ready
	$(BIN)/python -m tests.docs.pictures

.PHONY: check
check: lint types

.PHONY: lint
lint: .venv/dev.ready
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

.PHONY: types
types: .venv/dev.ready
	$(BIN)/mypy
	$(BIN)/mypy --strict --package bench
	cd consumer && ../$(BIN)/mypy --strict app.py

include template.mk
template: .venv/dev.ready

.PHONY: clean
clean:
	rm -rf .venv .venv-* .node-* .cache .aws-sam build *.egg-info

# What is installed depends on these two files; a marker a set, so that `make demo` does not wait for the test tools.
.venv/demo.ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local]'
	@touch $@

.venv/dev.ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/demo.ready

# Programs of others, which are measured, and opstool without the tools of its developers; all with one boto3.
.venv-bench/ready: bench/requirements.txt pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --requirement bench/requirements.txt --editable .
	@touch $@

.venv/bin/python:
	@test -n '$(PYTHON)' || { echo 'error: Python 3.11, 3.12 or 3.13 is needed' >&2; exit 1; }
	$(PYTHON) -m venv .venv
