# A thin front to CMake and CTest; `make help` lists the targets. Everything is built below build/.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
CRASH_STATES ?= 10000000
c_files = git ls-files --cached --others --exclude-standard '*.[ch]'

dev: build-dev ## build/dev: optimised, with debug information, warnings are errors

release: build-release ## build/release: optimised across modules

demo: ## install what is missing, build, record a build of this project, make its report
	@scripts/deps build
	@$(MAKE) --no-print-directory dev
	@scripts/demo

test: ## install what is missing, build, run every test; ends with "N passed, N failed"
	@scripts/deps test
	@scripts/run-tests

asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/run-tests asan

tsan: ## the tests under ThreadSanitizer
	@scripts/run-tests tsan

clang: ## the tests, compiled by clang
	@scripts/run-tests clang

fuzz: build-fuzz ## libFuzzer on every parser, FUZZ_SECONDS=60 each
	@FUZZ_SECONDS=$(FUZZ_SECONDS) ctest --test-dir build/fuzz -L fuzz --output-on-failure -j2

crash: build-release ## power cuts on the simulated disk for a night, CRASH_STATES=10000000 each
	@MAYFLY_CRASH_STATES=$(CRASH_STATES) ctest --test-dir build/release -R '^crash/(reclog|state)$$' --timeout 100000 -V -j2

cov: build-cov ## the tests, and which lines of src/ and cli/ they reach
	@scripts/coverage

cpu-soak: build-dev ## 100,000 threads with CPU budgets, one after the other: nothing is left
	@MAYFLY_CHURN=100000 build/dev/tests/test_unit_cpu_threads

bench: ## the benchmarks, from the release build (docs/benchmarks.md); BENCH="--json .."
	@bench/run all $(BENCH)

bench-quick: ## the same with fewer and shorter samples
	@bench/run all --quick $(BENCH)

bench-%: FORCE
	@bench/run $* $(BENCH)

install: build-release ## into PREFIX=/usr/local, below DESTDIR
	@cmake --install build/release --prefix "$(PREFIX)"

format: ## lay out all C files with clang-format
	@$(c_files) | xargs clang-format -i

lint: ## the project's own rules, the layout of C files, shell scripts
	@scripts/check
	@$(c_files) | xargs clang-format --dry-run -Werror
	@shellcheck -x -S warning scripts/* .ci/run bench/run bench/*.sh tests/*/*.sh

clean: ## remove build/
	@rm -rf build

help: ## this list
	@awk -F ': *[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

# A preset is configured once; after that the build notices by itself what has changed.
build-%: FORCE
	@test -f build/$*/build.ninja || cmake --preset $*
	@cmake --build build/$*

FORCE:
.PHONY: dev release demo test cpu-soak bench bench-quick asan tsan clang fuzz crash cov install format lint clean help FORCE
