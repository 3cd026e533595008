# Recording: the process layer of os, the recorder, mayfly run.
mayfly_test(NAME os_proc RUNG unit SOURCES unit/test_os_proc.c LINK mf_os)
mayfly_test(NAME os_netlink RUNG unit SOURCES unit/test_os_netlink.c LINK mf_os)
mayfly_test(NAME os_cgroup RUNG unit SOURCES unit/test_os_cgroup.c LINK mf_os)
mayfly_test(NAME os_child RUNG unit SOURCES unit/test_os_child.c LINK mf_os)
mayfly_test(NAME flight_outcome RUNG unit SOURCES unit/test_flight_outcome.c LINK mf_flight PRIVATE_OF flight)
mayfly_test(NAME process_table RUNG unit SOURCES unit/test_process_table.c lib/scratch.c LINK mf_flight
  PRIVATE_OF flight)
mayfly_test(NAME flight_output RUNG prop SOURCES prop/prop_flight_output.c lib/scratch.c LINK mf_flight
  PRIVATE_OF flight)
mayfly_script_test(NAME run_basics RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/run_basics.sh")
mayfly_script_test(NAME run_ladder RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/run_ladder.sh")
mayfly_script_test(NAME run_memory RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/run_memory.sh")
mayfly_script_test(NAME run_full_disk RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/run_full_disk.sh")
mayfly_test(NAME run_terminal RUNG e2e SOURCES e2e/test_run_terminal.c lib/scratch.c LINK)
mayfly_test(NAME flight RUNG crash SOURCES crash/crash_flight.c lib/scratch.c LINK mf_flight)
foreach(parser os_proc os_netlink)
  mayfly_fuzz(NAME ${parser} SOURCES fuzz/fuzz_${parser}.c LINK mf_os
    CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${parser}")
endforeach()
mayfly_fuzz(NAME flight SOURCES fuzz/fuzz_flight.c LINK mf_flight
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/flight")
