# fmt and the frame of the command line.
mayfly_test(NAME json_write RUNG unit SOURCES unit/test_json_write.c LINK mf_fmt)
mayfly_test(NAME json_read RUNG unit SOURCES unit/test_json_read.c LINK mf_fmt)
mayfly_test(NAME units RUNG unit SOURCES unit/test_units.c LINK mf_fmt)
mayfly_test(NAME text RUNG unit SOURCES unit/test_text.c LINK mf_fmt)
mayfly_test(NAME local_time RUNG unit SOURCES unit/test_local_time.c LINK mf_os mf_fmt)
mayfly_test(NAME options RUNG unit SOURCES unit/test_options.c LINK cli_frame)
mayfly_test(NAME fmt RUNG prop SOURCES prop/prop_fmt.c LINK mf_fmt)
mayfly_test(NAME fmt RUNG fault SOURCES fault/fault_fmt.c LINK mf_fmt cli_frame)
mayfly_fuzz(NAME options SOURCES fuzz/fuzz_options.c LINK cli_frame
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/options")
foreach(parser json_read units rfc3339)
  mayfly_fuzz(NAME ${parser} SOURCES fuzz/fuzz_${parser}.c LINK mf_fmt
    CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${parser}")
endforeach()
mayfly_script_test(NAME frame RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_frame.sh")
mayfly_script_test(NAME completion RUNG cli
  SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_completion.sh")
mayfly_script_test(NAME exports RUNG golden SCRIPT "${CMAKE_SOURCE_DIR}/scripts/exports")
if(NOT MAYFLY_SANITIZE AND NOT MAYFLY_FUZZ AND NOT MAYFLY_COVERAGE)
  mayfly_script_test(NAME install RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/test_install.sh")
endif()
mayfly_script_test(NAME check RUNG golden SCRIPT "${CMAKE_SOURCE_DIR}/scripts/check")
mayfly_script_test(NAME check_rules RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_check.sh")
