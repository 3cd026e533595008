# The benchmark programs, as programs: that they run and measure what they say, not how fast.
mayfly_script_test(NAME bench RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_bench.sh" TIMEOUT 600)
mayfly_script_test(NAME bench_capture RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_capture.sh" TIMEOUT 600)
mayfly_script_test(NAME bench_planted RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/bench_planted.sh" TIMEOUT 600)
