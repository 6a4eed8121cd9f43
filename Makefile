# make demo   trains a small model on the embedded corpus and writes text
# make test   runs the tests            make check   lint, format, types, floors
# make slow   the tests that take minutes or need data that is not here
# make oldest a tenth of the core's cases with the oldest supported versions
#
# Each creates .venv first if need be. PYTHON=... names another interpreter.

VENV := .venv
OLDEST := .venv-oldest
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
MIN_PYTHON := 3.12
# What `make oldest` takes: every N-th case of a test, from these.
EVERY := 10
ROOMS := $(addprefix tests/,cells nn recurrence gradients models convert decode train)

.PHONY: demo test slow oldest check format clean

demo: $(VENV)/.runtime
	$(RUN) seqjax.launch --config=char_lm --workdir=runs/demo

test: $(VENV)/.dev
	$(RUN) pytest -n 2 --dist loadgroup -m "not slow"
	JAX_NUM_CPU_DEVICES=1 $(RUN) pytest -n 2 -m "one_device and not slow"

slow: $(VENV)/.dev
	JAX_DISABLE_MOST_OPTIMIZATIONS=False $(RUN) pytest -m slow
	JAX_DISABLE_MOST_OPTIMIZATIONS=False JAX_NUM_CPU_DEVICES=1 \
	  $(RUN) pytest -n 2 tests/recurrence

oldest: $(OLDEST)/.dev
	$(OLDEST)/bin/python -m pytest -n 2 --dist loadgroup -m "not slow" \
	  --every=$(EVERY) $(ROOMS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(RUN) tests.reading_path --write
	$(RUN) tests.notebooks --write

clean:
	rm -rf $(VENV) $(OLDEST)

$(VENV)/.runtime: pyproject.toml constraints.txt
	@sh .ci/venv $(VENV) $(MIN_PYTHON) $(PYTHON)
	$(RUN) pip install --quiet --constraint constraints.txt \
	  --editable ".[train,text]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@sh .ci/venv $(VENV) $(MIN_PYTHON) $(PYTHON)
	$(RUN) pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@ $(VENV)/.runtime

# The oldest Python, too: old packages have no wheels for a newer one.
$(OLDEST)/.dev: pyproject.toml constraints-oldest.txt
	@sh .ci/venv $(OLDEST) $(MIN_PYTHON) $(or $(PYTHON),python$(MIN_PYTHON))
	$(OLDEST)/bin/python -m pip install --quiet \
	  --constraint constraints-oldest.txt --editable ".[dev]"
	@touch $@
