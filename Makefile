.PHONY: help demo matrix lesson test test-fast test-latest soak lint lock attack wheel record clean
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PAGES ?=
STEPS ?= 16
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

# The project comes last: all that it asks for is there, setuptools too, so that nothing unlocked is fetched to build it.
INSTALL := $(RUN) -m pip install --quiet --no-compile --no-deps
LOCKED := $(INSTALL) --require-hashes --requirement

$(READY): setup.cfg pyproject.toml $(wildcard locks/*.txt)
	@echo "Setting up $(VENV) (about two minutes, once) …"
	$(PYTHON) -m venv $(VENV)
	$(LOCKED) locks/torch.txt
	if grep -q '^Requires-Dist: nvidia' $(VENV)/lib/python3*/site-packages/torch-*.dist-info/METADATA; then $(LOCKED) locks/cuda.txt; fi
	$(LOCKED) locks/train.txt
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(READY_DEV): $(READY)
	$(LOCKED) locks/dev.txt
	@touch $@

help:  ## list these targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(READY)  ## sample pages → datasets → 8-bit LoRA adapter → samples of base and tuned (PAGES=dir: real pages)
	$(RUN) -m builders.build $(if $(PAGES),--pages "$(PAGES)") --out friends-lines
	$(RUN) -m builders.check friends-lines
	$(RUN) -m train.sft --dataset chunks --data friends-lines --output adapters/chunks --max-steps $(STEPS) --evaluations 2 --resume
	@echo
	@echo 'The dataset: .venv/bin/python -c '\''from datasets import load_dataset; print(load_dataset("friends-lines", "chunks"))'\'''
	@echo 'The adapter and its card: adapters/chunks/README.md'

lesson: $(READY)  ## the same with all four formats and their comparison, explained (LESSON_FAULT=double_bos plants a fault)
	$(RUN) -m train.lesson

# two at a time; the threads of PyTorch in each would only wait for one another
test: $(READY_DEV)  ## every test
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile

test-fast: $(READY_DEV)  ## the tests that need neither torch nor seconds
	$(RUN) -m pytest -m "not slow and not soak" --ignore train/training --ignore train/generation/sampling_noise.py --ignore train/export/divergence.py

test-latest: $(READY_DEV)  ## the fast tests and one training with the newest libraries (needs the registry; some minutes)
	$(RUN) benchmarks/latest.py

soak: $(READY_DEV)  ## the full matrices of faults, of which `make test` runs a part (some minutes more)
	$(RUN) -m pytest -m soak

lint: $(READY_DEV)  ## ruff and mypy --strict
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m mypy --config-file tests/mypy.ini tests benchmarks

lock: $(READY_DEV)  ## resolve setup.cfg anew into locks/, for all platforms, with hashes (UPGRADE=1: newest versions)
	$(RUN) benchmarks/lock.py $(if $(UPGRADE),--upgrade)

matrix: $(READY_DEV)  ## tiny bases of 18 classes through training, resuming, comparison and merging: the table in docs/training.md
	OMP_NUM_THREADS=1 $(RUN) benchmarks/matrix.py --write

attack: $(READY_DEV)  ## attack it, on this machine only, and write the table of docs/reliability.md (some minutes)
	$(RUN) benchmarks/attack.py

# of the last commit; the same bytes in any folder, at any time, under any umask
wheel: $(READY_DEV)  ## a wheel in dist/, the same bytes wherever it is built
	rm -rf build/wheel && mkdir -p build/wheel
	git archive HEAD | (umask 022 && tar -x -C build/wheel)
	umask 022 && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(RUN) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist ./build/wheel

clean:  ## remove all that make and the commands made here
	rm -rf $(VENV) *-lines *-lines-* .*-lines.* .report.* lines.jsonl segments.jsonl adapters report build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

record: $(READY_DEV)  ## measure again what README and benchmarks/results say, on this device
	rm -rf build/record && mkdir -p build/record
	cd build/record && ../../$(RUN) -m builders.build > /dev/null
	cd build/record && ../../$(RUN) -m train.sft --dataset chunks --max-steps $(STEPS) 2> /dev/null > ../../benchmarks/results/demo.txt
	$(RUN) benchmarks/quality.py
	$(RUN) benchmarks/readme.py
