# fmt and the frame of the command line.
mayfly_test(NAME json_write RUNG unit SOURCES unit/test_json_write.c LINK mf_fmt)
mayfly_test(NAME json_read RUNG unit SOURCES unit/test_json_read.c LINK mf_fmt)
mayfly_test(NAME units RUNG unit SOURCES unit/test_units.c LINK mf_fmt)
mayfly_test(NAME text RUNG unit SOURCES unit/test_text.c LINK mf_fmt)
mayfly_test(NAME options RUNG unit SOURCES unit/test_options.c LINK cli_frame)
mayfly_test(NAME fmt RUNG prop SOURCES prop/prop_fmt.c LINK mf_fmt)
foreach(parser json_read units rfc3339)
  mayfly_fuzz(NAME ${parser} SOURCES fuzz/fuzz_${parser}.c LINK mf_fmt
    CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${parser}")
endforeach()
