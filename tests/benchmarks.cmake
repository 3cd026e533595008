# The benchmark programs, as programs: that they run, not how fast.
mayfly_script_test(NAME bench RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_bench.sh")
