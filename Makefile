# What a reader needs: `make book` and `make test`. `make` alone lists the rest.

PYTHON  ?= python3
PROFILE ?= laptop
CORES   ?= $(shell getconf _NPROCESSORS_ONLN)
PORT    ?= 8000

BIN  := .venv/bin
BOOK := results/$(PROFILE)/book/index.html

# The environment is named after the content of what defines it, so that a checkout or a touched
# file does not install anything again, and a changed lock always does.
READY := .venv/ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

RESOLVE := uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
    --custom-compile-command "make lock"

export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help book test test-slurm kernels soak attack bench lint format serve clean distclean lock

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo "  PROFILE=smoke|laptop|paper says how much is computed (now $(PROFILE)), CORES with how many cores."

book: $(READY)  ## Run the chapters that changed and render the book [PROFILE=laptop]
# Snakemake's own words stay away (it keeps them in .snakemake/log) unless it stopped before or
# beside a chapter: a chapter that fails says why by itself.
	@words=$$(mktemp); trap 'rm -f "$$words"' EXIT; \
	python -m snakemake --cores $(CORES) --config profile=$(PROFILE) --rerun-incomplete --nolock \
	    2> "$$words" || { \
	    grep -q "Error in rule" "$$words" || tail -n 8 "$$words" >&2; \
	    echo "make book stopped; once the cause is mended it goes on from here." >&2; \
	    exit 1; }
	@echo "The book: $(BOOK)  (make serve PROFILE=$(PROFILE) shows it)"

test: $(READY)  ## Run all tests
	@python -m pytest

test-slurm: $(READY)  ## Make shards as jobs of a SLURM started for it; Debian, root
	@python tests/slurm_cluster.py

kernels: $(READY)  ## Build the integrators that the package ships, from the sources
	@python -m kinetlib.kinetics.ship

soak: $(READY)  ## Integrate a million parameter sets a mechanism; minutes
	@python tests/soak.py

attack: $(READY)  ## Feed bad files to every reader; minutes, more with MOST=100
	@python -m studies attack $(if $(MOST),--most $(MOST)) && python -m studies attack summary \
	    $(if $(MOST),--most $(MOST))

bench: $(READY)  ## Time the integrator beside its peers, and training; minutes
	@rm -rf results/studies/solvers/pieces
	@for part in integrators steps tolerances training; do python -m studies solvers $$part || exit; done

lint: $(READY)  ## Check style and format
	@ruff check
	@ruff format --check
	@lint-imports --no-logo --cache-dir results/.imports

format: $(READY)  ## Mend what the linter can mend
	@ruff check --fix
	@ruff format

serve:  ## Show the built book on http://localhost:8000 [PORT=8000]
	@test -f $(BOOK) || { echo "There is no book yet at $(BOOK): run make book PROFILE=$(PROFILE) first." >&2; exit 1; }
	@echo "The book is on http://localhost:$(PORT) (Ctrl-C ends)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(dir $(BOOK)) >/dev/null 2>&1

clean:  ## Remove everything that was computed; the environment stays
	rm -rf results .snakemake .pytest_cache .hypothesis .ruff_cache

distclean: clean  ## Remove the environment too
	rm -rf .venv kinetlib.egg-info

lock:  ## Resolve pyproject.toml anew into requirements.lock (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv" >&2; exit 1; }
	@echo setuptools | $(RESOLVE) --extra book --extra cluster --extra crnn --extra design --extra peers --extra potentials --extra test --extra train \
	    pyproject.toml - --output-file requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
	    echo "kinetlib needs Python 3.11, 3.12 or 3.13 (TensorFlow has none newer);" >&2; \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@echo "Setting up .venv from requirements.lock: about 2 GB, some minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f .venv/ready-* && touch $@
