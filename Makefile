# `make serve` and `make test` install what they need into .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help serve test test-root test-slow lint lint-openapi gen check-gen check-breaking accept-contract eval bench clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

define CHECK_PYTHON
import sys
found = sys.version.split()[0]
remedy = "make $(or $(firstword $(MAKECMDGOALS)),serve) PYTHON=python3.12"
sys.exit(sys.version_info < (3, 11) and f"Menagerie needs Python 3.11 or later, and this is {found}. Name a newer one: {remedy}")
endef
export CHECK_PYTHON

# The stamps are older than pyproject.toml exactly when its dependencies may have changed.
$(VENV)/server.stamp: pyproject.toml
	@$(PYTHON) -c "$$CHECK_PYTHON"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing the server into $(VENV): about 550 MB, once."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,onnx]'
	touch $@

$(VENV)/dev.stamp: $(VENV)/server.stamp
	@echo "Installing what the tests need into $(VENV): about 2 GB more, once."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,onnx,tracing,dev]'
	touch $@

# What ARGS holds is passed on: make serve ARGS=--no-rate-limits
serve: $(VENV)/server.stamp ## run every API, and print where; ARGS="--workers 2" passes options on
	exec menagerie serve $(ARGS)

test: $(VENV)/dev.stamp ## run every test that takes seconds, as an ordinary user; the reasons of skips come last
	pytest -m 'not slow'

test-root: $(VENV)/dev.stamp ## run the tests that need root, as root
	pytest -m 'root and not slow'
	pytest tests/server/supervisor/test_account.py

test-slow: $(VENV)/dev.stamp ## run the tests that take minutes
	pytest -m slow

lint: $(VENV)/dev.stamp ## check style, types and protos
	ruff check
	ruff format --check
	mypy
	buf lint
	buf format --diff --exit-code

OPENAPI = $(wildcard proto/menagerie/*/v1/*.openapi.json)

lint-openapi: ## check the OpenAPI documents, with npm's linter for them
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true npx --yes @redocly/cli@2 lint $(OPENAPI)

PROTOS = $(shell cd proto && find menagerie -name '*.proto' | sort)
SERVICES = $(shell cd proto && grep -rl '^service ' menagerie --include='*.proto' | sort)
PROTOC = python -m grpc_tools.protoc --descriptor_set_in=build/descriptors.binpb

gen: $(VENV)/dev.stamp ## generate the Python code and the OpenAPI documents of the protos
	mkdir -p build
	buf build --as-file-descriptor-set --exclude-source-info -o build/descriptors.binpb
	$(PROTOC) --python_out=proto --mypy_out=quiet:proto $(PROTOS)
	$(PROTOC) --grpc_python_out=proto --mypy_grpc_out=quiet:proto $(SERVICES)
	buf build --as-file-descriptor-set -o build/sources.binpb
	python -m tools.openapi_generator build/sources.binpb proto

check-gen: gen ## check that the committed code is what `make gen` makes
	git diff --exit-code -- proto

CONTRACT = proto/contract.binpb
BREAKING_RULES = {"version": "v2", "breaking": {"use": ["WIRE_JSON"]}}

check-breaking: $(VENV)/dev.stamp ## check that clients of the accepted contract still work
	mkdir -p build
	buf build --exclude-source-info -o build/contract.binpb
	buf breaking build/contract.binpb --against $(CONTRACT) --config '$(BREAKING_RULES)'

# Until 0.1.0 a breaking change may be accepted: with BREAKING=allowed, and a line in CHANGELOG.md.
accept-contract: $(if $(filter allowed,$(BREAKING)),$(VENV)/dev.stamp,check-breaking) ## keep today's protos from now on
	buf build --exclude-source-info -o $(CONTRACT)

PHOTOS ?= tests/photos
EVAL = python -m menagerie_training.evaluation
eval: $(VENV)/server.stamp ## measure the models on photographs: make eval PHOTOS=folder WHALES=folder CORAL=folder PORTRAITS=folder
	$(EVAL).species $(PHOTOS) --diagram build/eval/species-reliability.svg
	python -m menagerie_training.whales.evaluation $(PHOTOS) $(WHALES) --diagram build/eval/whales-scores.svg
	python -m menagerie_training.nsfw.evaluation $(PHOTOS) $(PORTRAITS)
	$(if $(CORAL),$(EVAL).coral $(CORAL) $(if $(UPSTREAM),--upstream $(UPSTREAM)) \
	  $(if $(OTHERS),--others $(OTHERS)) --diagram build/eval/coral-reliability.svg)
	python -m menagerie_training.muzzle.evaluation $(if $(ANIMALS),--animals $(ANIMALS)) \
	  $(if $(MUZZLES),--muzzles $(MUZZLES)) $(if $(BOXES),--boxes $(BOXES)) \
	  $(if $(NO_MUZZLES),--others $(NO_MUZZLES)) --diagram build/eval/muzzle-det.svg

bench: $(VENV)/dev.stamp ## measure throughput and latency against the limit
	python -m benchmarks

clean: ## remove everything that was built
	rm -rf $(VENV) build
