# Foundation: base, os, reclog.
mayfly_test(NAME base RUNG unit SOURCES unit/test_base.c LINK mf_base PRIVATE_OF base)
mayfly_test(NAME os_file RUNG unit SOURCES unit/test_os_file.c lib/scratch.c LINK mf_os)
mayfly_test(NAME os_thread RUNG unit SOURCES unit/test_os_thread.c LINK mf_os)
mayfly_test(NAME simdisk RUNG unit SOURCES unit/test_simdisk.c LINK mf_os)
mayfly_test(NAME simdisk RUNG prop SOURCES prop/prop_simdisk.c lib/scratch.c LINK mf_os)
mayfly_test(NAME reclog RUNG unit SOURCES unit/test_reclog.c LINK mf_reclog PRIVATE_OF reclog)
mayfly_test(NAME reclog_damage RUNG unit SOURCES unit/test_reclog_damage.c LINK mf_reclog PRIVATE_OF reclog)
# The log's sources once more, with the calls that crash_reclog.c can spoil.
set(reclog_planted "")
foreach(part reclog reclog_format reclog_open reclog_reader reclog_scan)
  list(APPEND reclog_planted "${CMAKE_SOURCE_DIR}/src/reclog/${part}.c")
endforeach()
set_source_files_properties("${CMAKE_SOURCE_DIR}/src/reclog/reclog_open.c" PROPERTIES COMPILE_DEFINITIONS
  "mf_file_sync=planted_file_sync;mf_file_truncate=planted_file_truncate;mf_fs_sync_parent=planted_sync_parent")
set_source_files_properties("${CMAKE_SOURCE_DIR}/src/reclog/reclog.c" PROPERTIES COMPILE_DEFINITIONS
  "mf_file_sync=planted_file_sync;mf__reclog_rewrite=planted_rewrite")
set_source_files_properties("${CMAKE_SOURCE_DIR}/src/reclog/reclog_scan.c" PROPERTIES COMPILE_DEFINITIONS
  "mf__reclog_frame_whole=planted_frame_whole;mf__reclog_follows=planted_follows")
mayfly_test(NAME reclog RUNG crash SOURCES crash/crash_reclog.c ${reclog_planted} LINK mf_os
  PRIVATE_OF reclog TIMEOUT 600)
if(TARGET test_crash_reclog)
  target_include_directories(test_crash_reclog PRIVATE "${CMAKE_BINARY_DIR}/view/reclog")
endif()
mayfly_test(NAME reclog_kill RUNG crash SOURCES crash/crash_reclog_kill.c lib/scratch.c LINK mf_reclog)
mayfly_test(NAME reclog RUNG fault SOURCES fault/fault_reclog.c LINK mf_reclog)
mayfly_test(NAME reclog_threads RUNG prop SOURCES prop/prop_reclog_threads.c lib/scratch.c LINK mf_reclog)
mayfly_fuzz(NAME reclog SOURCES fuzz/fuzz_reclog.c LINK mf_reclog PRIVATE_OF reclog
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/reclog")
