# Everything that developers and CI run. Needs python3, make and go; fetches the rest.
# What it makes lies in git-ignored places: .venv, build, and the user's cache directory.

SHELL := /bin/sh
.DEFAULT_GOAL := help

UV := $(shell command -v uv 2>/dev/null || echo build/uv/bin/uv)
BIN := .venv/bin
PY := $(BIN)/python
READY := .venv/.ready

# Test processes at the same time; 0 is one process that shows each test as it runs.
WORKERS ?= 2
CLUSTER_WORKERS ?= 0
# `make soak` goes through the cluster tests on this minor version too.
SECOND_KUBERNETES ?= 1.35.4

PYTEST := $(PY) -m pytest -q
GENERATED := tools.reference tools.diagrams tools.write_schema

.PHONY: help setup control-plane check fix unit components cluster test demo bench soak docs clean

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

control-plane: $(READY) ## Get etcd and Kubernetes (with an empty cache: download, or build with Go).
	@echo "==> control plane"
	@$(PY) -m tools.control_plane

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

unit: $(READY) ## Tests without a cluster: units, laws, services in-process.
	@echo "==> unit, properties, service"
	@$(PYTEST) -n $(WORKERS) tests/unit tests/properties tests/service

components: $(READY) ## Tests of the Pulumi components and the policy pack, without the engine.
	@echo "==> components"
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/build/components $(UV) sync --quiet --frozen --all-packages
	@cd components && ../build/components/bin/mypy && ../build/components/bin/lint-imports --no-logo
	@cd components && ../build/components/bin/python -m pytest -q
	@cd policy && ../build/components/bin/mypy && ../build/components/bin/lint-imports --no-logo
	@cd policy && ../build/components/bin/python -m pytest -q

cluster: control-plane ## Tests on a real API server, in short form.
	@echo "==> cluster"
	@$(PYTEST) -n $(CLUSTER_WORKERS) tests/cluster

test: check unit components cluster ## Everything: check, unit, components, cluster.

demo: control-plane ## Boot, install, apply the example, replay a GPU trace, show the tree.
	@$(PY) examples/ai-pipeline/demo.py

bench: control-plane ## Compare with native ResourceQuota; a table and a JSON file.
	@$(PY) -m bench

soak: control-plane ## All rounds of the cluster tests, then once more on another Kubernetes.
	@echo "==> soak"
	@QUOTATREE_SOAK=1 $(PYTEST) -n $(CLUSTER_WORKERS) tests/cluster
	@echo "==> cluster, Kubernetes $(SECOND_KUBERNETES)"
	@QUOTATREE_KUBERNETES_VERSION=$(SECOND_KUBERNETES) $(PY) -m tools.control_plane
	@QUOTATREE_KUBERNETES_VERSION=$(SECOND_KUBERNETES) \
		$(PYTEST) -n $(CLUSTER_WORKERS) tests/cluster

clean: ## Remove what make made here (the control plane's binaries stay in the user's cache).
	@rm -rf .venv build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
