# Seals of flights, the command line of state.
mayfly_script_test(NAME seal RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/seal.sh" TIMEOUT 300)
mayfly_script_test(NAME seal_run RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/seal_run.sh" TIMEOUT 300)
# For the test of a sync that fails; not beside the sanitizers, which want to be loaded first.
mayfly_script_test(NAME state RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_state.sh" TIMEOUT 300)
mayfly_script_test(NAME bench_state RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_bench_state.sh" TIMEOUT 300)
if(NOT MAYFLY_SANITIZE)
  add_library(sync_fails MODULE lib/sync_fails.c)
  set_property(TEST cli/state APPEND PROPERTY ENVIRONMENT "SYNC_FAILS=$<TARGET_FILE:sync_fails>")
endif()
mayfly_fuzz(NAME state_batch
  SOURCES fuzz/fuzz_state_batch.c "${CMAKE_SOURCE_DIR}/cli/state_batch.c" "${CMAKE_SOURCE_DIR}/cli/hex.c"
  LINK mf_state mf_fmt CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/state_batch")
target_include_directories(fuzz_state_batch PRIVATE "${CMAKE_SOURCE_DIR}/cli")
mayfly_fuzz(NAME seal SOURCES fuzz/fuzz_seal.c LINK mf_flight PRIVATE_OF flight
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/seal")
mayfly_test(NAME seal RUNG fault SOURCES fault/fault_seal.c lib/flights.c lib/scratch.c LINK mf_flight)
