# Each target sets up what it needs. Two are enough to begin with: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
HASHED := $(BIN)/python scripts/install.py
SOURCES := lazyasd python-baseconv varint
THIS := $(PIP) --no-deps --no-build-isolation --editable .
FACTS := settings.ini setup.py pyproject.toml constraints.txt
NODE_MODULES := contracts/node_modules/.package-lock.json

# A line starts dozens of processes, and the tests hundreds: where none may keep what it compiled, each compiles all of it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-full test-lowest lab docs bench faults contracts locks sbom release export clean

demo: .venv/demo studio/studio.toml  ## a small collection: generated, judged, described, minted on a local chain, proven
	$(BIN)/artmint run batches/demo.toml

test: .venv/dev  ## what must hold before anything lands
	$(BIN)/python -m pytest -n 3 --dist loadfile

test-full: .venv/dev  ## the long suites as well
	$(BIN)/python -m pytest -m ""

test-lowest: .venv/lowest  ## the rooms that need no painting, with the lowest versions that settings.ini allows
	.venv/lowest/bin/python -m pytest -n 2 --dist loadfile tests/core tests/studio tests/ipfs tests/publish tests/chain tests/run/test_console.py

lab: .venv/dev  ## JupyterLab, open at the README: chapters in their order, rooms behind them
	$(BIN)/jupyter lab --LabApp.app_settings_dir=docs/lab --LabApp.default_url=/lab/tree/README.md

docs: .venv/docs  ## the pages, the notebooks and the API reference as a site, in _docs/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/dev  ## figures, as ratios, into studio/bench.json (some need node; SUBJECTS="gas minting" measures these)
	$(BIN)/python -m bench $(SUBJECTS)

faults: .venv/dev $(NODE_MODULES)  ## minting with 81 kinds of fault injected: 324 schedules, each replayable by its number (needs node; an hour)
	$(BIN)/python -m tests.faults

contracts: .venv/demo $(NODE_MODULES)  ## compile the contract, compare with the committed artifact, write the input for explorers (needs node)
	$(BIN)/python scripts/compile_contracts.py --check

locks: .venv/lock  ## the hashes of what is installed, anew from settings.ini and constraints.txt; and the lowest versions
	$(BIN)/python scripts/lock.py .venv/lock/bin/uv

sbom: .venv/demo  ## what make demo installs, as a bill of materials (CycloneDX), into sbom.json
	$(BIN)/python scripts/sbom.py make publish > sbom.json

release: .venv/lock  ## the files for PyPI, into dist/, refused where they lack what an index's page needs
	$(BIN)/python scripts/check_release.py
	rm -rf dist build
	.venv/lock/bin/python -m build --quiet .
	.venv/lock/bin/twine check --strict dist/*

.venv/lowest: .venv/python locks/lowest.txt
	$(PYTHON) -m venv .venv/lowest
	.venv/lowest/bin/pip install --quiet --disable-pip-version-check --requirement locks/lowest.txt
	.venv/lowest/bin/pip install --quiet --disable-pip-version-check --constraint locks/lowest.txt 'pytest>=8,<9' 'pytest-xdist>=3.6,<4' 'hypothesis>=6.130,<7'
	.venv/lowest/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

export: .venv/dev  ## notebooks -> package; the Library part keeps its outputs, the Run part has none
	$(BIN)/python scripts/clean_notebooks.py
	$(BIN)/nbdev-clean
	$(BIN)/nbdev-export

clean:  ## remove the environment; studios stay
	rm -rf .venv artmint.egg-info build _docs

# Invented prices, for a studio that has none: the report has numbers to show.
studio/studio.toml:
	mkdir -p studio
	cp batches/studio.example.toml $@

.venv/python:
	$(PYTHON) -m venv .venv
	touch $@

# Where it isn't to be had, pip does its work.
.venv/uv: .venv/python locks/uv.txt
	-$(PIP) --require-hashes --only-binary :all: --requirement locks/uv.txt
	touch $@

# Every file is held against its hash, and none is built where it is installed: but for three that ape needs and that
# exist as sources alone. They, and this package, are built by the setuptools of the lock.
.venv/demo: .venv/uv $(FACTS) locks/demo.txt
	$(HASHED) locks/demo.txt
	$(THIS)
	touch $@

.venv/dev: .venv/demo locks/test.txt
	$(HASHED) locks/test.txt $(SOURCES)
	$(THIS)
	touch $@

.venv/docs: .venv/python $(FACTS)
	$(PIP) --constraint constraints.txt --editable '.[docs]'
	touch $@

.venv/lock: .venv/python
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet --disable-pip-version-check build==1.6.1 twine==7.0.0
	.venv/lock/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement locks/uv.txt
	touch $@

$(NODE_MODULES): contracts/package.json contracts/package-lock.json
	@command -v npm > /dev/null || { echo "npm isn't installed: compiler, libraries, forge and anvil come from it. Install Node.js 20 or newer."; exit 1; }
	cd contracts && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
