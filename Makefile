# SPDX-License-Identifier: GPL-3.0-or-later
# "make" or "make help" says what there is. All paths are relative, so that any folder will do.

# bpy, which renders without an installed Blender, comes for Python 3.11.
PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
READY := .venv/ready
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-quick addon blender bench bench-engines bench-scaling bench-convergence bench-two-sample lint format clean

help: ## Say what there is to make
	@sed -n 's/^\([a-z][-a-z.0-9%]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
	while IFS='|' read -r name text; do printf '%-26s %s\n' "$$name" "$$text"; done

demo: $(READY) ## Find the distribution behind 64 hidden images, without a window
	@$(BIN)/python tools/system_libraries.py --check
	$(BIN)/gdr optimize --hidden m1=2.25:0.1 --hidden m2=2.25:0.1 \
		--start m1=1.2:0.4 --start m2=3.0:0.4 --seed 0 --out "runs/demo-$$(date +%Y%m%d-%H%M%S)"

test: $(READY) ## Run all tests, those in a Blender window on Blender 4.3
	$(BIN)/python tools/system_libraries.py
	$(BIN)/python tools/blender_for_tests.py 4.3
	$(BIN)/python -m pytest

test-quick: $(READY) ## Run the tests that need no window, no cluster and little time (four minutes)
	@$(BIN)/python tools/system_libraries.py --check
	$(BIN)/python -m pytest -m "not window and not ray and not slow"

test-blender-%: $(READY) ## Run the tests in a window on Blender 4.3 or 5.2
	$(BIN)/python tools/system_libraries.py
	$(BIN)/python tools/blender_for_tests.py $*
	GDR_BLENDER_VERSION=$* $(BIN)/python -m pytest tests/window tests/packaging

addon: $(READY) ## Build dist/gdr-VERSION.zip, which Blender installs
	$(BIN)/python tools/build_addon.py

blender: addon ## Install the build into Blender (GDR_BLENDER) and open it, ready for a run
	$(BIN)/python tools/open_blender.py dist/gdr-$(VERSION).zip

bench: $(READY) ## Measure how fast Blender renders here
	$(BIN)/python -m benchmarks.rendering
	$(BIN)/python benchmarks/workers.py

bench-engines: $(READY) ## Measure what an image costs with each renderer (two minutes)
	$(BIN)/python benchmarks/engines.py

bench-scaling: $(READY) ## Measure what more render workers are worth, and what Ray costs (ten minutes)
	$(BIN)/python -m benchmarks.scaling

bench-convergence: .venv/bench ## Measure how many renders the estimators need (hours; BENCH=--quick: a minute)
	@$(BIN)/python tools/system_libraries.py --check
	$(BIN)/python -m benchmarks.convergence $(BENCH)

bench-two-sample: $(READY) ## Measure level and power of the closing comparison (half an hour; BENCH=--quick: minutes)
	@$(BIN)/python tools/system_libraries.py --check
	$(BIN)/python -m benchmarks.two_sample_test $(BENCH)

lint: $(READY) ## Check style
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	! git grep -nE '^(<<<<<<<|>>>>>>>) '

format: $(READY) ## Put style right
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove what was built, but no run
	rm -rf .venv build dist wheels *.egg-info .pytest_cache .ruff_cache .hypothesis

.venv/bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]" -c constraints.txt
	touch .venv/bench

$(READY): pyproject.toml constraints.txt
	$(if $(PYTHON),,$(error Python 3.11 or later is needed: install it, or name one with make PYTHON=...))
	$(PYTHON) -m venv .venv
	extras=$$($(BIN)/python -c 'import sys; print("blender,dev" if sys.version_info[:2] == (3, 11) else "dev")') && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$$extras]" -c constraints.txt
	touch $(READY)
