# CPU time of threads: reading, budgets, detectors, the sentinel.
set(here "${CMAKE_CURRENT_SOURCE_DIR}")
mayfly_test(NAME cpu_read RUNG unit SOURCES "${here}/unit/cpu/read_test.c" LINK mf_cpu)
mayfly_test(NAME cpu_budget RUNG unit SOURCES "${here}/unit/cpu/budget_test.c" LINK mf_cpu)
mayfly_test(NAME cpu_sentinel RUNG unit SOURCES "${here}/unit/cpu/sentinel_test.c" LINK mf_cpu)
