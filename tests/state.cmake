# State: atomic commits, the log, checkpoints, recovery.
set(here "${CMAKE_CURRENT_SOURCE_DIR}")
mayfly_test(NAME state RUNG unit SOURCES "${here}/unit/state/state_test.c" LINK mf_state)
mayfly_test(NAME state_defects RUNG unit SOURCES "${here}/unit/state/state_defects_test.c" LINK mf_state)
mayfly_test(NAME state RUNG fault SOURCES "${here}/fault/fault_state.c" LINK mf_state TIMEOUT 300)
mayfly_test(NAME state RUNG prop SOURCES "${here}/prop/prop_state.c" LINK mf_state)
# The store's sources once more, with the calls that crash_state.c can spoil.
file(GLOB state_planted CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/state/*.c")
function(plant file)
  set_source_files_properties("${CMAKE_SOURCE_DIR}/src/state/${file}.c" DIRECTORY "${CMAKE_SOURCE_DIR}/tests"
    PROPERTIES COMPILE_DEFINITIONS "${ARGN}")
endfunction()
plant(state_commit mf_reclog_sync=planted_commit_sync mf_reclog_info=planted_commit_info
  mf_reclog_discard=planted_discard)
plant(checkpoint_file mf_reclog_sync=planted_checkpoint_sync mf_fs_sync_directory=planted_sync_directory)
plant(state_history mf_reclog_sync=planted_history_sync)
plant(state_recover mf__version_apply=planted_replay)
plant(state_checkpoint mf__wal_detach=planted_detach)
mayfly_test(NAME state RUNG crash SOURCES "${here}/crash/crash_state.c" "${here}/lib/state_model.c" ${state_planted}
  LINK mf_reclog mf_os PkgConfig::CRYPTO PRIVATE_OF state TIMEOUT 900)
if(TARGET test_crash_state)
  target_include_directories(test_crash_state PRIVATE "${CMAKE_BINARY_DIR}/view/state"
    "${CMAKE_SOURCE_DIR}/src/state/api")
endif()
mayfly_test(NAME state_damage RUNG crash SOURCES "${here}/crash/damage_state.c" "${here}/lib/state_model.c"
  LINK mf_state)
