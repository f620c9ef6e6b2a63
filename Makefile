# make all   the report, from prototxts/ and measurements/      make test   the tests
PYTHON ?= python3
CORES ?= 1
VENV := .venv
BIN := $(VENV)/bin

.PHONY: all test test-frameworks test-slow fuzz lint bench measure measure-gpu keep-gpu clean help
.DEFAULT_GOAL := help

help:
	@echo "make all      install into $(VENV) and make results/report/index.html"
	@echo "make test     install the test tools and run the tests with coverage"
	@echo "make test-frameworks  install PyTorch and JAX (processor) and run the tests that need them"
	@echo "make test-slow  the tests that take longer: kills at every stage, packages, the gate"
	@echo "make fuzz     changed inputs for every reader, FUZZ_SECONDS=300 of them from FUZZ_SEED=0 on"
	@echo "make lint     ruff, mypy, snakefmt and snakemake --lint"
	@echo "make bench    benchmarks, as ratios to a peer or a floor"
	@echo "make measure  measure this machine's CPU (platform local) and report on it"
	@echo "make measure-gpu  measure an NVIDIA GPU (config/gpu.yaml) and report on it"
	@echo "make clean    remove generated results (never measurements)"

all: $(VENV)/installed
	@$(BIN)/python -m neuralpower.project.locks
	@$(BIN)/python -m neuralpower.project.following $(BIN)/snakemake --cores $(CORES) all || \
	{ echo "What failed is above; all other pages are there: open results/report/index.html."; exit 1; }
	@echo "Open results/report/index.html in a browser."

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term:skip-covered

# What `make test` skips where PyTorch and JAX are not installed; here nothing is skipped for that.
test-frameworks: $(VENV)/installed-frameworks
	NEURALPOWER_FRAMEWORKS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m frameworks

# Whole workflows killed at every stage, gate and module use through Snakemake, built packages,
# fits of random parts of every public set.
test-slow: $(VENV)/installed-dev
	NEURALPOWER_SLOW=1 NEURALPOWER_KILLS=20 $(BIN)/python -m pytest -n auto tests/operate tests/standins -m slow
	NEURALPOWER_KILLS=20 $(BIN)/python -m pytest -n auto tests/profiling -k kill
	NEURALPOWER_SLOW=1 $(BIN)/python -m pytest -n auto tests/modeling/test_robust_fits.py

# Inputs that fail are kept in fuzz-failures/; docs/security.md says what becomes of them.
FUZZ_SECONDS ?= 300
FUZZ_SEED ?= 0
fuzz: $(VENV)/installed-dev
	$(BIN)/python tests/fuzz/fuzz.py --every-key --seconds 120 --out fuzz-failures
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --out fuzz-failures

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: $(VENV)/installed-dev
	@for bench in benchmarks/*_bench.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

# Only what measuring needs is installed; after a kill the same command goes on.
measure: $(VENV)/installed-measure
	@$(BIN)/python -m neuralpower.project.locks
	@echo "Measures this machine's CPU as the platform local: lines with the time left follow."
	@echo "Close other programs. It may be ended at any time: the same command goes on."
	@$(BIN)/python -m neuralpower.project.following \
	  $(BIN)/snakemake --cores 1 all --config platforms='["local"]'
	@echo "Open results/report/index.html in a browser. To keep what was measured:"
	@echo "  neuralpower measurements keep results/measurements/local --out measurements/NAME"

# PyTorch with CUDA is not in the lock file: its build follows the driver.
measure-gpu: $(VENV)/installed-dev
	@$(BIN)/python -m neuralpower.project.locks
	@$(BIN)/python -m neuralpower.project.following \
	  $(BIN)/snakemake --cores 1 all --configfile config/gpu.yaml
	@echo "Open results/report/index.html in a browser. make keep-gpu keeps what was measured."

# What measure-gpu has measured, as measurements/<name> with its checksums.
keep-gpu: $(VENV)/installed-dev
	$(BIN)/snakemake --cores 1 keep --configfile config/gpu.yaml

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The stamps are newer than the lock files once everything is installed: a second call does nothing.
$(VENV)/installed: envs/requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV), once: some minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	@touch $@

# Pins alone: with hashes pip would ask for those of what is installed beside the lock, too, and
# constraints have no extras.
CONSTRAIN = sed '/--hash=/d; s/ \\$$//; s/\[[a-z,]*\]//' envs/requirements-dev.lock > $(VENV)/constraints.txt

$(VENV)/installed-measure: envs/requirements-dev.lock $(VENV)/installed
	$(CONSTRAIN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(VENV)/constraints.txt onnx onnxruntime
	@touch $@

$(VENV)/installed-dev: envs/requirements-dev.lock $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements-dev.lock
	@touch $@

$(VENV)/installed-frameworks: envs/frameworks.txt $(VENV)/installed-dev
	$(CONSTRAIN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) \
	  -c $(VENV)/constraints.txt -r envs/frameworks.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  -e plugins/jax -e plugins/amd -e plugins/ina3221
	@touch $@

clean:
	rm -rf results/accuracy results/checksums results/inputs.txt results/layers results/layers.csv \
	  results/logs results/models results/near results/predictions results/provenance.json \
	  results/report results/shards/tables results/sweeps .snakemake

# Renew the pins after a change of pyproject.toml; the result is committed.
.PHONY: lock
lock: $(VENV)/installed-dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate \
	  pyproject.toml envs/build.in -o envs/requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate \
	  --extra onnx --extra dev pyproject.toml envs/build.in -o envs/requirements-dev.lock
