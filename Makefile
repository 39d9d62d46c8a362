# The commands of this project; `make` alone lists them.
#   PYTHON=/path/to/python3    the Python that the environment is made with (3.11 or newer)
#   PYTEST_ARGS="-k name"      passed on to pytest
#   ENV=dev                    the environment that is deployed or destroyed
#   REPOSITORY=owner/name      the repository on GitHub whose workflows may plan and deploy
#   TF_PLUGIN_DIR=/path        where Terraform finds its provider, if not in its registry; tests search for it
#   WORKERS=2                  processes that `make test` spreads the test files over

.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
# What fetches and what computes go side by side: nothing of it needs another, but the gates the laptop's environment.
BEFORE_TESTS = $(MAKE) --no-print-directory -j 4 development runtimes checkers types spark-classes gates postgres-versions wheels
BARE_PYTHON = python="$$(sh tools/find_python.sh)" && "$$python"
SPREAD = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Following every line takes more than half of a run's time, see docs/decisions/0055.
FOLLOWED = --cov --cov-report=term
PACKAGES := bi catalog expectations glue_jobs lakehouse lambda_functions local_aws notebooks payments_api sites totesys
ENV ?= dev
PYTEST_ARGS ?=
WORKERS ?= 2
export PYTHON

##@ Use it

.PHONY: demo
demo:  ## Run the whole pipeline on a generated totesys, three ticks long, and show what it did
	@$(BARE_PYTHON) tools/set_up.py laptop local-spark
	@$(BIN)/lakehouse demo

.PHONY: setup
setup:  ## Install what running needs into .venv (quick when nothing changed); the rest when first needed
	@$(BARE_PYTHON) tools/set_up.py laptop

.PHONY: development
development:  ## Install everything into .venv: Spark, sites, notebooks, dashboard, gates and tests
	@$(BARE_PYTHON) tools/set_up.py laptop development

.PHONY: runtimes
runtimes:  ## Make environments like Glue's own (Python 3.9 and 3.13), where those Pythons are found
	@$(BARE_PYTHON) tools/set_up.py runtimes

.PHONY: postgres-versions
postgres-versions: development  ## Fetch PostgreSQL 13 to 17, so that the tests can capture from them too
	@$(BIN)/python tools/postgres_versions.py

.PHONY: spark-classes
spark-classes: development  ## Keep Spark's classes at hand, so that it starts sooner (once; `make demo` does it, too)
	@$(BARE_PYTHON) tools/set_up.py spark-classes

.PHONY: wheels
wheels: development  ## Download the wheels that Glue's runtimes install, so that `make dist` and its tests find them
	@$(BIN)/python -m tools.dist --fetch

.PHONY: dist
dist: development  ## Build what is deployed into dist/: scripts, our wheels, and each Glue runtime's closed set of wheels
	@$(BIN)/python -m tools.dist

.PHONY: bootstrap
bootstrap: development  ## Make what has to be there before: the bucket of states, GitHub's roles (ENV=dev REPOSITORY=owner/name)
	@$(BIN)/python -m tools.deploy bootstrap $(ENV) -var=repository=$(REPOSITORY) $(DEPLOY_ARGS)

.PHONY: deploy
deploy: dist  ## Deploy an environment of terraform/environments to AWS: make deploy ENV=dev
	@$(BIN)/python -m tools.deploy apply $(ENV) $(DEPLOY_ARGS)

.PHONY: destroy
destroy: dist  ## Take an environment away again: make destroy ENV=dev
	@$(BIN)/python -m tools.deploy destroy $(ENV) $(DEPLOY_ARGS)

.PHONY: notebook
notebook: setup  ## Open the notebooks in JupyterLab, on the lake of the stack that runs
	@$(BIN)/python tools/set_up.py jupyter
	@addresses="$$($(BIN)/lakehouse env)" && eval "$$addresses" && exec .venv-jupyter/bin/jupyter lab $(JUPYTER_ARGS) notebooks

##@ Work on it

.PHONY: test
test:  ## Set up, then every gate and the tests, fast ones first
	@$(BEFORE_TESTS)
	$(BIN)/python -m pytest -m "not slow" $(SPREAD) $(PYTEST_ARGS)

.PHONY: test-all
test-all: export HISTORIES ?= 1000
test-all: export EXAMPLES = many
test-all:  ## The same, with the tests whose main case a shorter one holds; coverage may not fall
	@$(BEFORE_TESTS)
	$(BIN)/python -m pytest $(SPREAD) $(FOLLOWED) $(PYTEST_ARGS)

.PHONY: coverage
coverage: development runtimes postgres-versions wheels  ## The tests that coverage follows, with it: it may not fall
	$(BIN)/python -m pytest -m "not slow" tests/unit tests/property tests/integration $(SPREAD) $(FOLLOWED) $(PYTEST_ARGS)

.PHONY: test-fast
test-fast: development  ## Unit and property tests only
	$(BIN)/python -m pytest tests/unit tests/property $(PYTEST_ARGS)

.PHONY: test-deploy
test-deploy: development runtimes checkers  ## Terraform alone: its checks, then all of it applied to the laptop's AWS, run and destroyed
	$(BIN)/python -m pytest tests/end_to_end/test_deploy.py tests/integration/terraform tests/integration/tools $(PYTEST_ARGS)

.PHONY: checkers
checkers:  ## Make the environment of what checks Terraform and the workflows; their libraries disagree with ours
	@$(BARE_PYTHON) tools/set_up.py checkers

.PHONY: gates
gates: lint types security architecture contracts check-rights  ## Every check that runs no test

.PHONY: lint
lint: development  ## ruff: rules and format; no notebook keeps its outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --verify notebooks/*.ipynb

.PHONY: format
format: development  ## Let ruff mend and format what it can, and take the outputs out of notebooks
	$(BIN)/nbstripout notebooks/*.ipynb
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: development  ## mypy --strict over everything, tests and notebooks included
	$(BIN)/mypy -n 2
	$(BIN)/nbqa mypy notebooks

.PHONY: security
security: development  ## bandit over the packages
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(PACKAGES) tools

.PHONY: audit
audit: checkers security  ## pip-audit over every lock (it asks a database on the internet), and bandit
	@$(BIN)/python -m tools.audit

.PHONY: architecture
architecture: development  ## import-linter: who may import whom
	$(BIN)/lint-imports

.PHONY: contracts
contracts: development  ## Every captured table is what was published, or says by its version what changed
	$(BIN)/python -m tools.published_contracts check

.PHONY: publish-contracts
publish-contracts: development  ## Publish changed contracts of captured tables, if their versions say what changed
	$(BIN)/python -m tools.published_contracts publish

.PHONY: check-rights
check-rights: development  ## Every policy document that Terraform reads is what catalog/pipeline.yaml makes
	$(BIN)/python -m tools.rights check

.PHONY: rights
rights: development  ## Write the policy documents that Terraform reads (terraform/rights) from catalog/pipeline.yaml
	$(BIN)/python -m tools.rights write

.PHONY: soak
soak: development  ## Thirty simulated days with random faults, ten minutes at most (SOAK_DAYS, SOAK_SEED)
	$(BIN)/python -m pytest -q tests/faults/soak.py $(PYTEST_ARGS)

DIFFERENTIAL = $(foreach option,PIECE FROM TO SEED CASE HISTORY,$(if $($(option)),--$(option) "$($(option))"))

.PHONY: differential
differential: development  ## Compare both engines, in pieces of minutes (PIECE=3, FROM=1 TO=6, SEED, CASE="merge", HISTORY=17)
	@$(BIN)/python -m tests.differential $(DIFFERENTIAL)

.PHONY: mutants
mutants: development  ## Plant bugs that lose or double data, and see that the tests notice each (MUTANTS="words")
	@$(BIN)/python tools/mutants.py $(MUTANTS)

.PHONY: rules
rules: development  ## Compile every rule, and hold it to Great Expectations on both engines, over invented rows
	$(BIN)/python -m pytest tests/unit/expectations/test_rules.py tests/property/expectations $(PYTEST_ARGS)

.PHONY: session
session: development  ## Record the README's session again, from a real run
	@$(BIN)/python -m tools.session

.PHONY: screenshot
screenshot: development  ## Take the README's pictures of the two sites again (needs chromium)
	@$(BIN)/python -m tools.site_screenshot

.PHONY: console-screenshot
console-screenshot: development  ## Take the pictures of the console's pages again (needs chromium, and a stack that has run)
	@$(BIN)/python -m tools.console_screenshot

.PHONY: coverage-floor
coverage-floor: development  ## Raise the coverage floor to what the last `make coverage` reached
	@$(BIN)/python tools/raise_coverage_floor.py

.PHONY: lines
lines: development  ## Count the lines of code, SQL, YAML, HCL and templates outside tests and locks
	@$(BIN)/python tools/lines.py

.PHONY: bench
bench: development runtimes  ## Measure against the field; writes docs/benchmarks.md (BENCH_ARGS="--help" for its options)
	@$(BIN)/python tools/set_up.py bench
	$(BIN)/python -m bench $(BENCH_ARGS)

##@ Keep it

PARTS := dashboard documentation local-spark notebooks

LOCK := .uv/bin/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--fork-strategy fewest --custom-compile-command "make lock" --quiet $(LOCK_ARGS)

.PHONY: lock
lock: development  ## Write the locks again (LOCK_ARGS=--upgrade for newer versions)
	@$(BARE_PYTHON) tools/set_up.py uv
	$(LOCK) pyproject.toml --extra dev --python-version 3.11 -o requirements/development.txt
	$(LOCK) pyproject.toml --extra local --python-version 3.11 -c requirements/development.txt \
		-o requirements/laptop.txt
	for part in $(PARTS); do $(LOCK) pyproject.toml --extra $$part --python-version 3.11 \
		-c requirements/development.txt -o requirements/laptop-$$part.txt || exit 1; done
	$(LOCK) pyproject.toml --extra jupyter --python-version 3.11 -c requirements/development.txt \
		-o requirements/jupyter.txt
	$(LOCK) pyproject.toml --extra shell --python-version 3.9 \
		-c requirements/glue-python-shell-3.9.constraints -o requirements/glue-python-shell-3.9.txt
	$(LOCK) pyproject.toml --extra spark --extra documentation --python-version 3.13 \
		-c requirements/glue-spark-6.0.constraints -o requirements/glue-spark-3.13.txt
	$(LOCK) pyproject.toml --extra functions --python-version 3.13 -c requirements/laptop.txt \
		-o requirements/lambda-3.13.txt
	$(LOCK) bench/peers.txt --python-version 3.11 -o requirements/bench-peers.txt
	$(LOCK) requirements/checkers.in --python-version 3.11 -o requirements/checkers.txt
	$(LOCK) requirements/bootstrap.in --python-version 3.11 -c requirements/development.txt \
		-o requirements/bootstrap.txt
	echo uv | $(LOCK) - --python-version 3.9 -o requirements/uv.txt

.PHONY: authorities
authorities: development  ## Write the certificate authorities that jobs believe again (needs npm)
	@$(BIN)/python -m tools.authorities

.PHONY: clean
clean:  ## Remove what tests, builds and tools left behind (environments and stacks stay)
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache spark-warehouse metastore_db derby.log
	find $(PACKAGES) bench tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean  ## Remove the environments too
	rm -rf .venv .venv-glue-shell-3.9 .venv-glue-spark-3.13 .uv .venv-checkers .venv-jupyter .wheels

.PHONY: help
help:  ## Show this
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nOne after another, on a fresh clone:  make demo    make test\n'
