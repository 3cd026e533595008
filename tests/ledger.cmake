# Seals of flights, the command line of state.
mayfly_script_test(NAME seal RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/seal.sh")
mayfly_script_test(NAME seal_run RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/seal_run.sh")
