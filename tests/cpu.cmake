# CPU time of threads: reading, budgets, detectors, the sentinel.
set(here "${CMAKE_CURRENT_SOURCE_DIR}")
mayfly_test(NAME cpu_read RUNG unit SOURCES "${here}/unit/cpu/read_test.c" LINK mf_cpu)
mayfly_test(NAME cpu_budget RUNG unit SOURCES "${here}/unit/cpu/budget_test.c" LINK mf_cpu)
mayfly_test(NAME cpu_sentinel RUNG unit SOURCES "${here}/unit/cpu/sentinel_test.c" LINK mf_cpu)
mayfly_test(NAME cpu_bursts RUNG prop SOURCES "${here}/prop/prop_cpu_bursts.c" LINK mf_cpu)
mayfly_test(NAME cpu RUNG fault SOURCES "${here}/fault/fault_cpu.c" LINK mf_cpu)
mayfly_test(NAME cpu_threads RUNG unit SOURCES "${here}/unit/cpu/threads_test.c" LINK mf_cpu)
mayfly_script_test(NAME cpu_inside RUNG cli SCRIPT "${here}/cli/test_cpu_inside.sh")
mayfly_fuzz(NAME elf SOURCES fuzz/fuzz_elf.c LINK mf_fmt
  CORPUS "${here}/fuzz/corpus/elf")
mayfly_test(NAME cpu_parts RUNG unit SOURCES "${here}/unit/cpu/parts_test.c" LINK mf_cpu PRIVATE_OF cpu)
