# State: atomic commits, the log, checkpoints, recovery.
set(here "${CMAKE_CURRENT_SOURCE_DIR}")
mayfly_test(NAME state RUNG unit SOURCES "${here}/unit/state/state_test.c" LINK mf_state)
mayfly_test(NAME state_defects RUNG unit SOURCES "${here}/unit/state/state_defects_test.c" LINK mf_state)
mayfly_test(NAME state RUNG fault SOURCES "${here}/fault/fault_state.c" LINK mf_state)
mayfly_test(NAME state RUNG crash SOURCES "${here}/crash/crash_state.c" LINK mf_state TIMEOUT 300)
mayfly_test(NAME state RUNG prop SOURCES "${here}/prop/prop_state.c" LINK mf_state)
