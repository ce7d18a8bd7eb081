# `make` alone lists what there is. Needs GNU make and any Python from 3.11 on; everything else is installed under .venvs/.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

# What `make local` listens on, how much the longer checks do, and what is passed on to the command behind a target.
PORT ?= 4566
MESSAGES ?= 10000
EXAMPLES ?= 300
ORDERS ?= 1000
PACED ?= 2000
BODIES ?= 100000
SEED ?= 1
OUTAGE_ORDERS ?= 300
ARGS ?=

# An activated environment or a search path of the caller's must not leak into ours.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV UV_PYTHON
export SAM_CLI_TELEMETRY := 0

environment = .venvs/$(1)/complete
python := .venvs/main/bin/python
command := .venvs/main/bin/eventfork
pytest := $(python) -m pytest --numprocesses auto --dist loadgroup
templates = template.yaml $(wildcard pipelines/*/template.yaml applications/*/template.yaml)
environments := main functions engine sam cfnlint checkov schemathesis secrets vulnerabilities sbom

##@ Use

.PHONY: local
local: $(foreach name,main functions engine sam,$(call environment,$(name))) $(command) ## Run the whole application here: engine, build, deployment, sample orders (ARGS="--once --auth", PORT=4566)
	@$(python) -m local --port $(PORT) $(ARGS)

.PHONY: cli
cli: $(command) ## Install the operator's command here, as .venvs/main/bin/eventfork
	@$(command) --help

.PHONY: test
test: $(foreach name,main functions engine sam,$(call environment,$(name))) $(command) ## Run all tests that Python is enough for, with coverage (ARGS="--no-cov tests/unit" for a part)
	@$(pytest) --cov -m "not docker and not search_node and not drill and not sweep" $(ARGS)

.PHONY: test-containers
test-containers: $(foreach name,main functions engine sam,$(call environment,$(name))) $(command) ## Run the tests that need Docker or a search node: every function by sam local invoke, search end to end
	@$(pytest) -m "(docker or search_node) and not drill and not sweep" $(ARGS)

##@ Develop

.PHONY: check
check: lint validate test test-containers ## Everything that must pass: lint, validate, test, test-containers

.PHONY: lint
lint: $(call environment,main) ## Check the Python code: ruff, mypy --strict, bandit
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	$(python) -m security.code

.PHONY: format
format: $(call environment,main) ## Format the Python code and mend what ruff can
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

.PHONY: generate
generate: $(call environment,main) ## Write anew what is made of schemas, templates and code: API models, READMEs' tables, state machines
	$(python) -m setup.generate
	@PYTHONPATH=layers/eventfork $(python) -m setup.state_machines

.PHONY: pictures
pictures: $(call environment,main) ## Draw the pictures of the documentation from their texts (needs Graphviz)
	$(python) -m setup.draw

.PHONY: validate
validate: $(foreach name,sam cfnlint checkov,$(call environment,$(name))) ## Check every template: sam validate --lint, cfn-lint, checkov
	@printf '%s\n' $(templates) | xargs -P 4 -I '{}' .venvs/sam/bin/sam validate --lint --region us-east-1 --template-file '{}'
	.venvs/cfnlint/bin/cfn-lint --append-rules cfn_lint_serverless.rules --regions us-east-1 --template $(templates)
	.venvs/checkov/bin/python -m security.checkov

.PHONY: security
security: $(call environment,main) ## Run every security check, and print one table (ARGS=--quick, ARGS="--only checkov,bandit")
	@$(python) -m security $(ARGS)

.PHONY: sbom
sbom: $(call environment,sbom) ## Write the bill of materials of what is deployed, as .aws-sam/sbom/eventfork.cdx.json
	@.venvs/sbom/bin/python -W ignore::UserWarning -m security.bill_of_materials

.PHONY: bench
bench: $(call environment,main) ## Measure, as ratios within one run: what packing saves, how fast functions start
	@PYTHONPATH=layers/eventfork $(python) -m bench.forwarder
	@$(python) -m bench.cold_start

.PHONY: mixed-messages
mixed-messages: $(foreach name,main functions engine sam,$(call environment,$(name))) ## Send 10,000 messages of every kind through backup and replay (MESSAGES=10000)
	@EVENTFORK_MESSAGES=$(MESSAGES) $(python) -m pytest --no-header -q -s -k foreign tests/integration/test_standalone.py

.PHONY: drills
drills: $(foreach name,main functions engine sam,$(call environment,$(name))) ## Rehearse every disaster, small: spoilt rows, outage, late archive, killed functions
	@$(python) -m pytest --no-header -q -s -m drill $(ARGS)

.PHONY: drill
drill: $(foreach name,main functions engine sam,$(call environment,$(name))) ## Spoil 1,000 orders and customers, mend, replay from queue, backup and archive (ORDERS=1000)
	@EVENTFORK_DRILL_ORDERS=$(ORDERS) EVENTFORK_PACED_EVENTS=$(PACED) $(python) -m pytest --no-header -q -s \
		tests/integration/test_drill.py tests/integration/test_replay.py

.PHONY: drill-outage
drill-outage: $(foreach name,main functions engine sam,$(call environment,$(name))) ## Have the payment provider fail in every way over 300 orders, and recover (OUTAGE_ORDERS=300, ARGS=--kill-seeds=20)
	@EVENTFORK_OUTAGE_ORDERS=$(OUTAGE_ORDERS) $(python) -m pytest --no-header -q -s \
		tests/integration/test_outage.py $(or $(ARGS),--kill-seeds=0)

.PHONY: fuzz
fuzz: $(call environment,main) ## Try to break the API's functions with generated bodies (BODIES=100000, SEED=1)
	@PYTHONPATH=layers/eventfork $(python) -m security.generated_bodies --bodies $(BODIES) --seed $(SEED) $(ARGS)

.PHONY: sweep
sweep: $(foreach name,main functions engine sam,$(call environment,$(name))) ## Send card data by every path, and search everything that is stored for it
	@$(python) -m pytest --no-header -q -s tests/integration/test_card_data.py

.PHONY: mutate-roles
mutate-roles: $(foreach name,main functions engine sam,$(call environment,$(name))) $(command) ## Take each permission of each role away; a test must miss it (ARGS="--roles A,B", ARGS="--changed main")
	@PYTHONPATH=layers/eventfork $(python) -m security.mutate_roles $(ARGS)

.PHONY: schemathesis
schemathesis: $(foreach name,main functions engine sam schemathesis,$(call environment,$(name))) ## Try to break the API with generated requests (EXAMPLES=300, ARGS=--auth)
	@$(python) -m setup.try_api --max-examples $(EXAMPLES) $(ARGS)

.PHONY: lock
lock: $(call environment,uv) ## Pin every requirement anew from pyproject.toml (ARGS=--upgrade for newer ones)
	@for group in uv $(environments); do $(call compile,$$group,requirements/$$group.txt) || exit 1; done
	@$(call compile,layer,layers/eventfork/requirements.txt)

compile = echo "Locking $(2)" && UV_CUSTOM_COMPILE_COMMAND='make lock' .venvs/uv/bin/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-annotate --group pyproject.toml:$(1) --output-file $(2) $(ARGS) >/dev/null

.PHONY: clean
clean: ## Remove everything that was made here: environments, builds, caches, reports
	rm -rf .venvs .aws-sam .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this list
	@if [ -t 1 ]; then bold=$$(printf '\033[1m') blue=$$(printf '\033[36m') plain=$$(printf '\033[0m'); fi; \
	awk -v bold="$$bold" -v blue="$$blue" -v plain="$$plain" -F ':.*## ' ' \
		/^##@ / { printf "\n%s%s%s\n", bold, substr($$0, 5), plain } \
		/^[a-z-]+:.*## / { printf "  %smake %-15s%s %s\n", blue, $$1, plain, $$2 } \
	' $(firstword $(MAKEFILE_LIST))

# Environments: made on demand, and again when their requirements or the interpreter change.

# Looks for the interpreter each time, and touches the file only when the answer, or the folder of the project, is another one.
.venvs/interpreter: always
	@mkdir -p $(@D)
	@interpreter=$$(setup/find-python) || exit 1; \
	facts=$$(printf '%s\n' "$$interpreter" "$$("$$interpreter" --version)" "$(CURDIR)"); \
	[ "$$facts" = "$$(cat $@ 2>/dev/null)" ] || { \
		echo "Using $$("$$interpreter" --version), $$interpreter."; \
		printf '%s\n' "$$facts" > $@; \
	}

.venvs/uv/complete: requirements/uv.txt .venvs/interpreter
	@setup/make-environment uv

.venvs/cfn-guard/complete: setup/cfn-guard/package-lock.json setup/cfn-guard/.npmrc setup/make-cfn-guard
	@mkdir -p .venvs && setup/make-cfn-guard

.venvs/%/complete: requirements/%.txt .venvs/interpreter | .venvs/uv/complete
	@setup/make-environment $*

# The command is this project itself, so that no requirement locks it: it is linked, without a look at the network.
$(command): pyproject.toml $(call environment,main)
	@.venvs/uv/bin/uv pip install --quiet --offline --no-deps --no-build-isolation --reinstall-package eventfork \
		--python $(python) --editable .

.PHONY: always
always:
