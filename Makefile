# Needs Python 3.11 and a package registry; everything else is installed into .venv.
PYTHON ?= python3.11
VENV ?= .venv
STUBS ?= .venv-stubs
BIN = $(VENV)/bin
DEMO = out/demo
SAMPLES ?= 96
SUITES ?= trixie
BLENDERS ?= 4.2.23 5.0.1 5.2.3

.PHONY: demo test test-blenders test-gui lint bench addon clean

demo: $(VENV)/ready
	$(BIN)/likeness reconstruct tests/data/astronaut.png -o $(DEMO)/astronaut.likeness --overwrite \
	  --blend $(DEMO)/astronaut.blend --render $(DEMO)/astronaut.png --compare $(DEMO)/compare.png --samples $(SAMPLES)

# Two files at a time; each has servers, homes and ports of its own. Windows come after them.
test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/parity $(ARGS)
	$(BIN)/python -m pytest -n 2 tests/blender $(ARGS)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/service $(ARGS)
	$(BIN)/python -m pytest tests/gui $(ARGS)

# Blender 4.2 to 5.2, each in an environment of its own (1 GB each); 5.2 needs a Python 3.13.
test-blenders: $(VENV)/ready
	$(BIN)/python tests/blender/blenders.py
	LIKENESS_TEST_BLENDERS="$(BLENDERS)" $(BIN)/python -m pytest -n 2 tests/blender/test_in_blender.py -ra $(ARGS)

# Blender's window on a virtual screen, in a Debian in a folder of the user's cache (2 GB); needs root and Debian's apt.
# Two windows at a time, the long test of crashes in one of them.
test-gui: $(VENV)/ready
	LIKENESS_TEST_GUI="$(SUITES)" $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/gui -ra $(ARGS)

lint: $(VENV)/ready $(STUBS)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(STUBS)/bin/mypy --config-file blender_addon/mypy.ini

bench: $(VENV)/ready
	$(BIN)/python benchmarks/accuracy.py

addon: $(VENV)/ready
	$(BIN)/python build_addon.py

# torch goes first and alone: another package's open range would otherwise choose its own build. Python compiles modules
# when they are imported; most never are.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing PyTorch, Blender's bpy and the backend into $(VENV) (about 1.2 GB, a few minutes) ..."
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[blender,dev]'
	@touch $@

# Blender's type stubs hide the real bpy, so they live in a venv of their own.
$(STUBS)/ready: constraints.txt
	$(PYTHON) -m venv $(STUBS)
	$(STUBS)/bin/python -m pip install --quiet --no-compile --constraint constraints.txt mypy numpy fake-bpy-module-4.5
	@touch $@

clean:
	rm -rf $(VENV) $(STUBS) .venv-blenders out dist build
