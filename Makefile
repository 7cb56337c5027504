# One-line names for the commands of the lab; each line works without make, too.
UV ?= uv
PYTHON ?= $(firstword $(shell command -v python3 python))
PY := $(if $(wildcard .venv/Scripts),.venv/Scripts/python,.venv/bin/python)
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links

.PHONY: lab test test-quick bench conformance run lint types lock floors mutants alone expected site

lab:          ; $(PYTHON) start.py
test:         ; $(PYTHON) start.py test
test-quick:   ; $(PYTHON) start.py test -m "not slow and not network and not browser"
run:          ; $(PYTHON) start.py run
conformance:  ; $(PYTHON) start.py setup --extras && $(PYTHON) start.py test tests/conformance
bench:        ; $(PYTHON) start.py setup && $(PY) -m benchmarks
mutants:      ; $(PYTHON) start.py setup && $(PY) -m tests.mutants
alone:        ; $(PYTHON) start.py setup --extras && $(PY) -m tests.alone
site:         ; $(PYTHON) start.py site
expected:     ; $(PYTHON) start.py setup && $(PY) -m labkit.course.expected
lint:         ; $(PYTHON) start.py setup --extras && $(PY) -m ruff check . && $(PY) -m ruff format --check .
types:        ; $(PYTHON) start.py setup --extras && $(PY) -m pyright
lock:         ; $(COMPILE) pyproject.toml -o requirements.lock && $(COMPILE) --all-extras --constraint requirements.lock pyproject.toml -o requirements-extras.lock
floors:       ; $(PYTHON) start.py setup && $(PY) -m tests.floors && $(PY) -m tests.floors --latest
