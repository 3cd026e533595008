# SPDX-License-Identifier: Apache-2.0
# A project in git: the gate builds another revision in a worktree and measures both in turns. Ten times
# the work is a regression, the same work is not. How small a difference it tells from noise is asked of a
# simulation (unit/bench_compare), and of the machine itself by `make bench-selftest`.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
DESTDIR="$scratch/stage" cmake --install "$MAYFLY_BINARY_DIR" --prefix /opt/mayfly >/dev/null
archive=$(find "$scratch/stage" -name libmayfly-bench.a)
if [ -z "$archive" ]; then
    echo "this build does not install libmayfly-bench"
    exit 77
fi
export PKG_CONFIG_PATH=${archive%/*}/pkgconfig
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export MF_BENCH_WARM_UP_TIME=0.1 MF_BENCH_MEASUREMENT_TIME=0.4 MF_BENCH_NRESAMPLES=1000

mkdir "$scratch/project"
cd "$scratch/project" || exit 1
cp "$MAYFLY_SOURCE_DIR/tests/lib/bench_programs.c" .
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(BENCH REQUIRED IMPORTED_TARGET mayfly-bench)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
add_executable(outside_bench bench_programs.c)
target_link_libraries(outside_bench PRIVATE PkgConfig::BENCH)
END
cat >CMakePresets.json <<'END'
{"version": 6, "configurePresets": [{"name": "release", "binaryDir": "${sourceDir}/build/release",
 "cacheVariables": {"CMAKE_BUILD_TYPE": "Release"}}]}
END
printf 'build/\ntarget/\n' >.gitignore
commit() { git add -A && git -c user.name=t -c user.email=t@example.org commit -qm "$1"; }
git init -q . && commit first
{ cmake --preset release && cmake --build build/release; } >build.log 2>&1 || cat build.log
b=build/release/bench/outside_bench
expect 0 "$b" --test planted

# ---- the same: not blamed ----
expect 0 "$b" gate planted --base HEAD --threshold-pct 400 --json
jq -e '.benchmarks[0].change | .interleaved and .verdict == "SAME"' "$out" >/dev/null ||
    complain "unexpected: $(head -c 2000 "$out")"
[ -z "$(git worktree list | sed 1d)" ] || complain "a worktree was left"
built=$(echo target/bench/revisions/*-release/outside_bench)
[ -x "$built" ] || complain "the program of the revision was not kept"

# ---- slower: found; the revision is not built again ----
sed -i 's/#define SPIN 1000/#define SPIN 10000/' bench_programs.c
cmake --build build/release >build.log 2>&1 || cat build.log
before=$(stat -c %y "$built")
expect 3 "$b" gate planted --base HEAD --json
jq -e '.benchmarks[0].change | .verdict == "REGRESSED" and .ratio > 3 and .ratio < 30' "$out" \
    >/dev/null || complain "unexpected: $(head -c 2000 "$out")"
cp "$out" slower.json
[ "$before" = "$(stat -c %y "$built")" ] || complain "it was built again"
jq -e '.commit | endswith("-dirty")' slower.json >/dev/null || complain "changes are not told"

# ---- by the program, which finds the build; with a revision that is none ----
expect 3 "$MAYFLY" bench gate planted --base HEAD
# of several programs, one of them new
sed 's/(planted, spin)/(fresh, spin)/; s/(good,/(fine,/; s/(bad,/(worse,/; s/(slow,/(slower,/' bench_programs.c >fresh.c
cat >>CMakeLists.txt <<'END'
add_executable(fresh_bench fresh.c)
target_link_libraries(fresh_bench PRIVATE PkgConfig::BENCH)
END
{ cmake --preset release && cmake --build build/release; } >build.log 2>&1 || cat build.log
expect 3 "$MAYFLY" bench gate ::spin --base HEAD --json
stderr_has "does not make build/release/bench/fresh_bench"
jq -e '[.benchmarks[] | [.name, .change.verdict]] | sort == [["fresh::spin", "NO_BASELINE"],
    ["planted::spin", "REGRESSED"]]' "$out" >/dev/null ||
    complain "unexpected: $(jq -c '.benchmarks[] | [.name, .change]' "$out")"
git checkout -q CMakeLists.txt
rm fresh.c build/release/bench/fresh_bench
expect 3 "$MAYFLY" bench gate planted --base "$built"
expect 64 "$MAYFLY" bench gate planted --base slower.json
stderr_has "--compare takes it"
expect 1 "$MAYFLY" bench gate planted --base nonsense
stderr_has "'nonsense' is no file, no benchmark program, and no revision"
commit broken-later
echo 'int x = ;' >>bench_programs.c
commit broken
git checkout -q HEAD~1
expect 1 "$MAYFLY" bench gate planted --base master
stderr_has "cannot build the benchmarks of revision"
[ -z "$(git worktree list | sed 1d)" ] || complain "a worktree was left by a failed build"
finish
