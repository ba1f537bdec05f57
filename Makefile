# make demo   sets everything up, takes two real models through the whole path, names the report
# make test   sets everything up, runs every test but the rest of long families; make test-all runs those, too
#             tests that are marked alone come last, one after the other
VENV ?= .venv
DEMO ?= demo
# tests run in so many processes, each file in one of them
WORKERS ?= 2
# every command starts processes of its own, which would compile all they import each time
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-all lint lock bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements/dev.lock pyproject.toml scripts/setup
	@scripts/setup $(VENV)
	@touch $@

demo: setup
	@$(VENV)/bin/python scripts/demo.py --out $(DEMO)

test: setup
	@scripts/test $(VENV)/bin/python $(WORKERS) -m "not thorough" $(PYTEST_ARGS)

test-all: setup
	@scripts/test $(VENV)/bin/python $(WORKERS) $(PYTEST_ARGS)

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

lock: setup
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/core.lock
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group dev --overrides requirements/overrides.txt -o requirements/dev.lock

bench: setup
	@$(VENV)/bin/python benchmarks/golden_path.py

clean:
	rm -rf $(VENV) $(DEMO) .pytest_cache .mypy_cache .ruff_cache
