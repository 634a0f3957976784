# Thin front of CMake: `make demo` and `make test` set up everything a fresh Debian 12 needs.
BUILD ?= build
JOBS ?= $(shell nproc)
CMAKE_FLAGS ?=

.PHONY: all setup configure build demo test bench dist pack-gpu check-ashlar-gpu docs format clean
all: build

setup:
	@tools/scripts/setup.sh

configure: setup
	@if [ ! -f $(BUILD)/build.ninja ]; then \
	  cmake -S . -B $(BUILD) -G Ninja -C tools/cmake/DebianToolchain.cmake $(CMAKE_FLAGS); fi

build: configure
	@cmake --build $(BUILD) -j $(JOBS)

demo: build
	@tools/scripts/demo.sh $(BUILD)

test: build
	@tools/scripts/run_tests.sh $(BUILD)

# BENCH_FLAGS: --quick, --cells, --peers, ... (tools/bench/README.md)
BENCH_ENV ?= .cache/bench-venv
bench: build
	@python3 tools/bench/environment.py $(BENCH_ENV)
	@$(BENCH_ENV)/bin/python tools/bench/bench.py --build $(BUILD) $(BENCH_FLAGS)
	@$(if $(BENCH_FLAGS),,python3 tools/bench/ranks.py --build $(BUILD))

# What travels: build/dist, a program and a library that need nothing but libc (tools/dist/README.md).
dist: configure
	@cmake --build $(BUILD) -j $(JOBS) --target dist

# What a machine with a GPU needs to check and to measure, where nothing is compiled: PACKAGE/run.sh does both there.
PACKAGE ?= $(BUILD)/gpu-package
pack-gpu: build
	@tools/scripts/pack_gpu.sh $(BUILD) $(PACKAGE)

# The execute tests on this machine's GPU, from a package; "unsupported" where there is none.
check-ashlar-gpu:
	@if [ ! -d $(PACKAGE)/cases ]; then $(MAKE) pack-gpu; fi
	@$(PACKAGE)/dist/bin/ashlar check $(PACKAGE)/cases --device cuda

docs: configure
	@cmake --build $(BUILD) --target docs

format:
	@git ls-files '*.h' '*.cpp' '*.cc' '*.cuh' | xargs clang-format-22 -i

clean:
	@rm -rf $(BUILD)
