# The laboratory.
mayfly_test(NAME statistics RUNG unit SOURCES unit/test_statistics.c LINK mf_bench PRIVATE_OF bench)
mayfly_test(NAME statistics RUNG prop SOURCES prop/prop_statistics.c LINK mf_bench PRIVATE_OF bench)
mayfly_test(NAME bench_filter RUNG unit SOURCES unit/test_bench_filter.c LINK mf_bench PRIVATE_OF bench)
mayfly_script_test(NAME bench_outside RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_outside.sh" TIMEOUT 300)
