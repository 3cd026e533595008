# Threads of other processes: accounting and budgets from outside.
add_executable(burner tools/burner.c)
target_link_libraries(burner PRIVATE Threads::Threads)
# It is looked at from outside, and has the threads that it starts: none of a sanitizer's.
target_compile_options(burner PRIVATE -fno-sanitize=all)
target_link_options(burner PRIVATE -fno-sanitize=all)
mayfly_test(NAME cpu_window RUNG prop SOURCES prop/prop_cpu_window.c LINK mf_cpu PRIVATE_OF cpu)
mayfly_test(NAME cpu_outside RUNG unit SOURCES unit/test_cpu_outside.c LINK mf_cpu)
if(TARGET test_unit_cpu_outside)
  add_dependencies(test_unit_cpu_outside burner)
endif()
mayfly_script_test(NAME run_threads RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/run_threads.sh")
mayfly_script_test(NAME cpu_outside RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_cpu_outside.sh")
mayfly_fuzz(NAME cpu_budget SOURCES fuzz/fuzz_cpu_budget.c LINK mf_cpu
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/cpu_budget")
