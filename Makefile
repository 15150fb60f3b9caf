# Everything runs in .venv, which is made once and made anew when pyproject.toml or constraints.txt change.
SHELL := /bin/bash
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
# DVC runs its stages with the `python` of the PATH.
export PATH := $(BIN):$(PATH)
READY := .venv/.ready
MEGADETECTOR := .venv/.megadetector
SERVERS := .venv/.servers

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: demo
demo: $(READY) ## draw the demo photos, run the pipeline on them, print the scores
	@dvc repro --quiet && camtraps scores

.PHONY: test
test: $(READY) $(MEGADETECTOR) $(SERVERS) ## run the tests
	@{ command -v chromium && command -v chromedriver; } > /dev/null || \
		echo "chromium or chromedriver is not installed: the tests of the pages in a browser will be skipped"
	@python -m pytest -q -n 2 --dist loadfile $(TESTS)

.PHONY: check
check: $(READY) ## ruff and mypy
	@ruff check . && ruff format --check . && mypy

.PHONY: install
install: $(READY) ## only make the environment

.PHONY: bench-query
bench-query: $(READY) ## measure import, query and export at scale, beside the ancestor's loops (needs 4 GB of disk)
	@python -m benchmarks.query

.PHONY: bench-crop
bench-crop: $(READY) ## measure cropping, the import of a million detections and additions, beside the ancestor's way
	@python -m benchmarks.crop

.PHONY: bench-train
bench-train: $(READY) ## measure training, inference, splits and predictions, beside the ancestor's way and pure compute
	@python -m benchmarks.train

.PHONY: bench-mislabel
bench-mislabel: $(READY) ## measure how well wrong labels are found, beside the margin rule and confident learning
	@python -m benchmarks.mislabel

.PHONY: bench-pages
bench-pages: $(READY) ## measure the stage report on 100,000 crops of 50 labels
	@python -m benchmarks.pages

.PHONY: bench-share
bench-share: $(READY) ## measure push and pull of packed crops beside loose files, over S3 on this machine
	@python -m benchmarks.share

.PHONY: bench-classify
bench-classify: $(READY) ## measure classifying new photos, its memory, and merging, beside the ancestor's way
	@python -m benchmarks.classify

.PHONY: bench-scale
bench-scale: $(READY) ## measure the carriers of work side by side, and what the allocator's setting gains
	@python -m benchmarks.scale

.PHONY: kills
kills: $(READY) ## kill stages at random moments fifty times, and compare what comes out after the reruns
	@python -m benchmarks.kills

.PHONY: megadetector
megadetector: $(MEGADETECTOR) ## install the package of MegaDetector, and say what its models need besides
	@python -c 'from camtraps.detectors import megadetector; print(*megadetector.installed(), sep="\n")'

.PHONY: simd
simd: $(READY) ## put Pillow-SIMD in the place of Pillow (x86 Linux; needs a C compiler and the libjpeg and zlib headers)
	@pip install --quiet --force-reinstall --no-deps ./tools/pillow-bridge pillow-simd==12.1.1.post0
	@camtraps doctor

.PHONY: clean
clean: ## remove the environment, caches and the pipeline's outputs; data/<name> of your own stays
	@rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@rm -rf data/queried data/detections data/crops data/splits data/training data/predictions data/evaluation
	@rm -rf data/results data/review models/classifier reports .dvc/tmp
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "camtraps needs Python 3.11 or newer; try make PYTHON=python3.12")'
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "installing packages into .venv (a few minutes, once)"
	@pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

# Without its dependencies: they pin versions that do not go together with ours. The extra `detect` has what it imports.
$(MEGADETECTOR): $(READY)
	@pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[detect]'
	@pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps megadetector
	@touch $@

$(SERVERS): | $(READY)
	@command -v npm > /dev/null && npm install --silent --prefix .venv azurite@3.35.0 s3rver@3.7.1 && touch $@ || \
		echo "azurite and s3rver were not installed (they need npm): tests of sharing and storage with them are skipped"
