# Everything that developers and CI run. Needs python3, make and go; fetches the rest.
# What it makes lies in git-ignored places: .venv, build, and the user's cache directory.

SHELL := /bin/sh
.DEFAULT_GOAL := help

UV := $(shell command -v uv 2>/dev/null || echo build/uv/bin/uv)
BIN := .venv/bin
PY := $(BIN)/python
READY := .venv/.ready
# The components and Pulumi's packages: 270 MB that the core does not need.
WHOLE := build/components
WHOLE_PY := $(WHOLE)/bin/python
WHOLE_READY := $(WHOLE)/.ready

# Test processes at the same time; 0 is one process that shows each test as it runs.
WORKERS ?= 2
CLUSTER_WORKERS ?= 3
PULUMI_WORKERS ?= 3
# `make soak` goes through the cluster tests on this minor version too.
SECOND_KUBERNETES ?= 1.35.4

PYTEST := $(PY) -m pytest -q
# Those that measure or fill the machine run by themselves. A file stays with one process: each
# worker would boot the control plane of its module once more.
CLUSTER_TESTS = $(PYTEST) -n $(CLUSTER_WORKERS) --dist=loadfile -m 'not alone' tests/cluster \
	&& $(PYTEST) -m alone tests/cluster
GENERATED := tools.reference tools.components_reference tools.diagrams tools.write_schema

.PHONY: help setup control-plane pulumi-engine check fix unit components cluster pulumi test demo bench chaos soak docs schema clean

help: ## Show this list.
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

setup: $(READY) ## Set up the environment: uv if it is missing, then all packages as locked.

build/uv/bin/uv:
	@echo "==> fetching uv into build/uv"
	@mkdir -p build
	@python3 -m venv build/uv 2>/dev/null \
		&& build/uv/bin/python -m pip install --quiet 'uv>=0.6' \
		|| python3 -m pip install --quiet --target build/uv 'uv>=0.6'

$(READY): pyproject.toml uv.lock | $(UV)
	@echo "==> installing packages into .venv"
	@$(UV) sync --frozen
	@touch $(READY)

$(WHOLE_READY): components/pyproject.toml policy/pyproject.toml $(READY)
	@echo "==> installing the components and Pulumi's packages into $(WHOLE)"
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/$(WHOLE) $(UV) sync --quiet --frozen --all-packages
	@touch $(WHOLE_READY)

control-plane: $(READY) ## Get etcd and Kubernetes (with an empty cache: download, or build with Go).
	@echo "==> control plane"
	@$(PY) -m tools.control_plane

pulumi-engine: $(WHOLE_READY) ## Get Pulumi: an installed one is used, else it is built once with Go.
	@echo "==> pulumi engine"
	@$(WHOLE_PY) -m tools.pulumi_engine

check: $(READY) ## Format, lint, types, import contracts, documentation, generated files.
	@echo "==> check"
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted; run: make fix"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(PYTEST) tests/docs

fix: $(READY) ## Format, repair what ruff can, write generated files again.
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .
	@$(MAKE) --no-print-directory docs

docs: $(READY) ## Write the generated parts of the documentation again.
	@for tool in $(GENERATED); do $(PY) -m $$tool || exit 1; done

schema: $(WHOLE_READY) ## Write the components' schema for other languages again.
	@$(WHOLE_PY) -m tools.pulumi_schema
	@$(PY) -m tools.components_reference

unit: $(READY) ## Tests without a cluster: units, laws, services in-process.
	@echo "==> unit, properties, service"
	@$(PYTEST) -n $(WORKERS) tests/unit tests/properties tests/service

components: $(WHOLE_READY) ## Tests of the Pulumi components and the policy pack, without the engine.
	@echo "==> components"
	@for part in components policy; do \
		(cd $$part && ../$(WHOLE)/bin/mypy && ../$(WHOLE)/bin/lint-imports --no-logo \
			&& ../$(WHOLE_PY) -m pytest -q) || exit 1; \
	done

cluster: control-plane ## Tests on a real API server, in short form.
	@echo "==> cluster"
	@$(CLUSTER_TESTS)

pulumi: control-plane pulumi-engine ## Programs on Pulumi's real engine and a real API server, in short form.
	@echo "==> pulumi"
	@$(WHOLE_PY) -m pytest -q -n $(PULUMI_WORKERS) --dist=worksteal tests/pulumi

test: check unit components cluster pulumi ## Everything: check, unit, components, cluster, pulumi.

demo: control-plane ## Boot, install, apply the example, replay a GPU trace, show the tree.
	@$(PY) examples/ai-pipeline/demo.py

bench: control-plane pulumi-engine ## Compare with native ResourceQuota, time failover and a large Pulumi program; tables and JSON.
	@$(PY) -m bench
	@$(PY) -m bench.failover
	@$(WHOLE_PY) -m bench.program

chaos: control-plane ## Break everything under traffic, more than a hundred times, and judge; about an hour.
	@$(PY) -m tests.chaos --rounds 3 --state build/chaos.json

soak: control-plane pulumi-engine ## All rounds of the cluster tests, then once more on another Kubernetes.
	@echo "==> soak"
	@export QUOTATREE_SOAK=1 && $(CLUSTER_TESTS)
	@QUOTATREE_SOAK=1 $(WHOLE_PY) -m pytest -q -n $(PULUMI_WORKERS) --dist=worksteal tests/pulumi
	@echo "==> cluster, Kubernetes $(SECOND_KUBERNETES)"
	@export QUOTATREE_KUBERNETES_VERSION=$(SECOND_KUBERNETES) \
		&& $(PY) -m tools.control_plane && $(CLUSTER_TESTS)

clean: ## Remove what make made here (the control plane's binaries stay in the user's cache).
	@rm -rf .venv build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
