# Each target sets up what it needs. Two are enough to begin with: make demo, make test.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
FACTS := settings.ini setup.py pyproject.toml constraints.txt

.PHONY: demo test test-full lab docs bench faults contracts export clean

demo: .venv/demo  ## a small collection: generated, judged, described, minted on a local chain, proven
	$(BIN)/artmint run batches/demo.toml

test: .venv/dev  ## what must hold before anything lands
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-full: .venv/dev  ## the long suites as well
	$(BIN)/python -m pytest -m ""

lab: .venv/dev  ## the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=nbs

docs: .venv/docs  ## the pages, the notebooks and the API reference as a site, in _docs/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/demo  ## figures, as ratios, into studio/bench.json
	$(BIN)/python scripts/bench.py

faults: .venv/dev  ## minting, broken in every way there is: 216 schedules, each replayable by its number (needs node; half an hour)
	cd contracts && npm install --no-audit --no-fund --silent
	$(BIN)/python scripts/faults.py

contracts: .venv/demo  ## compile the contract, compare with the committed artifact, write the input for explorers (needs node)
	cd contracts && npm ci --ignore-scripts
	$(BIN)/python scripts/compile_contracts.py --check

export: .venv/dev  ## notebooks -> package; outputs are cleaned, except where a cell is tagged keep_output
	$(BIN)/nbstripout --keep-id $$(git ls-files 'nbs/*.ipynb')
	$(BIN)/nbdev-clean
	$(BIN)/nbdev-export

clean:  ## remove the environment; studios stay
	rm -rf .venv artmint.egg-info build _docs

.venv/python:
	$(PYTHON) -m venv .venv
	touch $@

.venv/demo: .venv/python $(FACTS)
	$(INSTALL) '.[make,publish]'
	touch $@

.venv/dev: .venv/demo
	$(INSTALL) '.[make,publish,s3,ray,postgres,docs,dev]'
	touch $@

.venv/docs: .venv/python $(FACTS)
	$(INSTALL) '.[docs]'
	touch $@
