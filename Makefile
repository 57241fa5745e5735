# jukeflow needs Python 3.11 or newer with pip, and make. Nothing else.
#
#   make song     hear a first song        make test     run the tests
#
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
STORE  ?= runs
SEED   ?= 1
SECONDS_OF_MUSIC ?= 12

.DEFAULT_GOAL := help
.PHONY: help install browser programs song test lint format types imports check lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | \
	    while IFS="$$(printf '\t')" read -r target text; do printf '  make %-9s %s\n' "$$target" "$$text"; done

install: $(STAMP) ## create .venv from requirements.lock

# pip may print hundreds of harmless lines: they go to a log that is shown only if pip fails.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "$(PYTHON) is too old: jukeflow needs Python 3.11 or newer" >&2; \
	      echo "hint: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (the first time takes a few minutes) ..." >&2
	@{ $(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock && \
	   $(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e . ; \
	 } > $(VENV)/install.log 2>&1 || \
	    { grep -v 'is ignored' $(VENV)/install.log | tail -n 40 >&2; \
	      echo "installation failed; everything pip said is in $(VENV)/install.log" >&2; exit 1; }
	@$(BIN)/python -c 'from flows.embedded import warm; warm()' >> $(VENV)/install.log 2>&1 || true
	@touch $@
	@echo "installed: $(BIN)/jukeflow" >&2

browser: ## install Debian's Chromium and axe-core, for the tests of the pages (needs root and npm)
	@command -v chromium > /dev/null || { apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core; } > /dev/null
	@npm ci --silent --no-audit --no-fund --prefix tests/browser > /dev/null

programs: ## install Debian's ffmpeg and FluidSynth with a sound font, which some tests use (needs root)
	@{ command -v ffmpeg && command -v fluidsynth; } > /dev/null || { apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ffmpeg fluidsynth fluid-soundfont-gm; } > /dev/null

song: install ## make a first song with the embedded model and say where it is
	@$(BIN)/jukeflow generate --title "First song" --artist bach --genre "piano major" --seconds $(SECONDS_OF_MUSIC) --seed $(SEED) --store $(STORE)

test: install ## run the tests that need no GPU, network, weights or server
	@$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder -rs $(TESTS)

lint: install ## ruff and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell $(shell git ls-files '*.py' '*.md' '*.toml' '*.yaml' 2>/dev/null)

format: install ## let ruff rewrite the files
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: install ## mypy, strict
	@$(BIN)/mypy

imports: install ## the layers
	@$(BIN)/lint-imports

check: lint types imports test ## everything

lock: ## resolve all dependencies again and write requirements.lock
	@PYTHON=$(PYTHON) sh deployments/lock.sh

clean: ## remove the environment and all caches; runs/ stays
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
