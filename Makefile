# Everything that people and CI do here. `make` alone lists it. Works with GNU make 3.81 and later.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
MODULES := core operator controller_image trial_image tests tools examples

.PHONY: help setup machine demo kubernetes test e2e images lint format verify crds dashboards reference lock bench figure clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with every room and tool, so that .venv/bin/archsearch is the command (nothing to do: nothing is done)
	@tools/setup

machine: ## Install the packages of Debian or Ubuntu that make test needs, as root (on CI make test does it)
	@tools/machine

demo: setup ## Run a real search on this machine: 48 children on digits, two at a time, into runs/digits
	$(BIN)/archsearch run examples/digits.yaml --out runs/digits

kubernetes: ## Build what tests/cluster needs of Kubernetes, once, from Go modules into the cache (8 minutes, then nothing)
	@tools/kubernetes all

# Without Go, tests/cluster is skipped and says why; on CI that is a failure.
test: ## Check everything: lint, verify, then every test
	@case "$$CI" in 1 | [Tt]rue | [Yy]es) tools/machine ;; esac
	@$(MAKE) --no-print-directory lint verify
	@tools/kubernetes all || test -z "$$CI"
	$(BIN)/pytest

e2e: setup ## Run everything on a real Kubernetes node with real images, made on this machine (Linux, root)
	tools/node
	$(BIN)/pytest tests/e2e

images: ## Build the images with buildah or docker (REGISTRY=host, BASE_IMAGE=name, ROOMS="operator controller trial")
	REGISTRY="$(REGISTRY)" BASE_IMAGE="$(BASE_IMAGE)" BUILDER="$(BUILDER)" tools/images $(ROOMS)

lint: setup ## Check style (ruff), types (mypy --strict) and the arrows between rooms (import-linter)
	$(BIN)/ruff check $(MODULES)
	$(BIN)/ruff format --check $(MODULES)
	$(BIN)/mypy
	$(BIN)/mypy tools/verify.py
	$(BIN)/mypy tools/dashboard.py
	$(BIN)/mypy tools/image_requirements.py
	$(BIN)/lint-imports --no-logo

format: setup ## Let ruff repair what it can
	$(BIN)/ruff check --fix $(MODULES)
	$(BIN)/ruff format $(MODULES)

verify: setup ## Check that what is generated is as its source makes it: pinned requirements, crds, dashboard, docs/reference
	$(BIN)/python tools/verify.py

crds: setup ## Write the CustomResourceDefinitions anew from the API, into crds and the chart
	$(BIN)/python -m archsearch.crd crds charts/archsearch/files/crds

dashboards: setup ## Write the chart's Grafana dashboard anew from tools/dashboard.py
	$(BIN)/python tools/dashboard.py >charts/archsearch/files/dashboards/archsearch-search.json.new
	mv charts/archsearch/files/dashboards/archsearch-search.json.new charts/archsearch/files/dashboards/archsearch-search.json

reference: setup ## Write docs/reference anew from the API
	$(BIN)/python -m archsearch.api.reference docs/reference

lock: setup ## Pin requirements/*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	tools/lock $(if $(UPGRADE),--upgrade)

bench: setup ## Measure this release on this machine; also TABLE=CSV: a table; DATA=DIR: CIFAR-10; FIGURE=1: make figure
	$(BIN)/archsearch bench start
	$(BIN)/archsearch bench controller
	$(BIN)/archsearch bench memory
	test -z "$(TABLE)" || $(BIN)/archsearch bench sample-efficiency --table "$(TABLE)" \
	  --strategy random,reinforce,default --children $(or $(CHILDREN),300) --seeds $(or $(SEEDS),20) --forked $(or $(FORKED),3)
	test -z "$(DATA)" || $(BIN)/python tests/bench/real_images.py --data "$(DATA)"
	test -z "$(FIGURE)" || $(MAKE) --no-print-directory figure

figure: setup ## Search digits by three strategies and three seeds, 200 children each; draw docs/pictures/compare-digits.png
	$(BIN)/archsearch compare examples/compare/random.yaml examples/compare/reinforce.yaml examples/compare/model-based.yaml \
	  --seeds $(or $(SEEDS),3) --out runs/compare-digits
	cp runs/compare-digits/compare.png docs/pictures/compare-digits.png
	cp runs/compare-digits/compare.json docs/pictures/compare-digits.json

clean: ## Remove .venv and caches; searches in runs/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find $(MODULES) -name __pycache__ -type d -prune -exec rm -rf {} +
