# make demo    grade the sample class, print and write the report
# make test    everything that continuous integration runs
# Both make .venv and install into it first. Without CUDA, torch's CPU build is far smaller:
#     make demo TORCH_INDEX=<the index that PyTorch's "Get Started" page gives for CPU>

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
CLASS := examples/sample_class/submitted
REPORT := build/demo

.PHONY: demo test lint bench thresholds baselines cora audit audit-sample diagnosis stubs clean

demo: .venv/installed
	@mkdir -p $(REPORT)
	@$(BIN)/autograder grade $(CLASS) --jobs 2 --regrade --json $(REPORT)/results.json --out $(REPORT)/reports
	@echo "Begin with $(REPORT)/reports/index.html; all results are in $(REPORT)/results.json."

test: .venv/installed lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/autograder stubs --check

bench: .venv/installed
	$(BIN)/python benchmarks/class_of_20.py

thresholds: .venv/installed
	@for unit in a1_rnn a2_lstm a3_attention a4_transformer a5_gnn; do $(BIN)/python benchmarks/thresholds.py $$unit || exit 1; done

baselines: .venv/installed
	$(BIN)/python benchmarks/text_baselines.py
	$(BIN)/python benchmarks/graph_baselines.py

# Planetoid's files are looked for, or downloaded to, where PLANETOID_ROOT says
cora: .venv/installed
	$(BIN)/python benchmarks/cora.py

# every mistake and mutant of the solutions, for most of an hour on two cores; the table goes into the README
audit: .venv/installed
	$(BIN)/autograder audit --jobs 2 --readme

audit-sample: .venv/installed
	$(BIN)/autograder audit --jobs 2 --sample 3

# the tables by which reports name known mistakes
diagnosis: .venv/installed
	$(BIN)/autograder diagnosis

stubs: .venv/installed
	$(BIN)/autograder stubs

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -z "$(TORCH_INDEX)" || $(BIN)/python -m pip install --quiet --index-url "$(TORCH_INDEX)" torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[instructor,dev]'
	@touch $@

clean:
	rm -rf .venv build
