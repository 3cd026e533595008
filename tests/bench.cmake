# The laboratory.
mayfly_test(NAME statistics RUNG unit SOURCES unit/test_statistics.c LINK mf_bench PRIVATE_OF bench)
mayfly_test(NAME statistics RUNG prop SOURCES prop/prop_statistics.c LINK mf_bench PRIVATE_OF bench TIMEOUT 600)
mayfly_test(NAME bench_filter RUNG unit SOURCES unit/test_bench_filter.c LINK mf_bench PRIVATE_OF bench)
mayfly_script_test(NAME bench_outside RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_outside.sh" TIMEOUT 300)
mayfly_test(NAME toml RUNG unit SOURCES unit/test_toml.c LINK mf_fmt)
mayfly_test(NAME bench_config RUNG unit SOURCES unit/test_bench_config.c LINK mf_bench PRIVATE_OF bench)
mayfly_fuzz(NAME toml SOURCES fuzz/fuzz_toml.c LINK mf_bench PRIVATE_OF bench
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/toml")
mayfly_script_test(NAME bench RUNG golden SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/golden/bench.sh")
mayfly_test(NAME bench_compare RUNG unit SOURCES unit/test_bench_compare.c LINK mf_bench PRIVATE_OF bench)
mayfly_test(NAME bench_json RUNG unit SOURCES unit/test_bench_json.c LINK mf_bench PRIVATE_OF bench)
mayfly_test(NAME bench_measure RUNG unit SOURCES unit/test_bench_measure.c LINK mf_bench PRIVATE_OF bench)
mayfly_fuzz(NAME bench_json SOURCES fuzz/fuzz_bench_json.c LINK mf_bench PRIVATE_OF bench
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/bench_json")
mayfly_test(NAME bench RUNG fault SOURCES fault/fault_bench.c LINK mf_bench PRIVATE_OF bench)

# Benchmarks for the tests, and what a user does with them.
add_executable(bench_programs lib/bench_programs.c)
target_link_libraries(bench_programs PRIVATE mf_bench)
mayfly_script_test(NAME bench_commands RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_commands.sh" TIMEOUT 600)
set_property(TEST e2e/bench_commands APPEND PROPERTY ENVIRONMENT
  "MAYFLY_BENCH_PROGRAMS=$<TARGET_FILE:bench_programs>")
mayfly_script_test(NAME bench_revision RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_revision.sh" TIMEOUT 600)
mayfly_test(NAME bench_doctor RUNG unit SOURCES unit/test_bench_doctor.c LINK mf_bench PRIVATE_OF bench)
mayfly_script_test(NAME bench_doctor RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_bench_doctor.sh")
mayfly_test(NAME bench_flame RUNG unit SOURCES unit/test_bench_flame.c LINK mf_bench PRIVATE_OF bench)
mayfly_fuzz(NAME bench_profile SOURCES fuzz/fuzz_bench_profile.c LINK mf_bench PRIVATE_OF bench
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/bench_profile")
mayfly_script_test(NAME bench_profile RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_profile.sh" TIMEOUT 300)
