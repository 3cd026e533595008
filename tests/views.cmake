# Everything that reads flights.
mayfly_test(NAME flight_find RUNG unit SOURCES unit/test_flight_find.c lib/scratch.c LINK mf_flight)
mayfly_test(NAME terminal_clean RUNG unit SOURCES unit/test_terminal_clean.c LINK mf_fmt)
add_executable(make_flights tools/make_flights.c lib/flights.c)
target_include_directories(make_flights PRIVATE lib)
target_link_libraries(make_flights PRIVATE mf_flight)
mayfly_test(NAME event_words RUNG unit SOURCES unit/test_event_words.c LINK mf_flight PRIVATE_OF flight)
foreach(name timeline compare gc recover report)
  mayfly_test(NAME flight_${name} RUNG unit SOURCES unit/test_flight_${name}.c lib/flights.c lib/scratch.c
    LINK mf_flight PRIVATE_OF flight)
endforeach()
mayfly_test(NAME flight_output RUNG unit SOURCES unit/test_flight_output.c lib/flights.c lib/scratch.c
  LINK mf_flight)
mayfly_script_test(NAME top_tmux RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/top_tmux.sh")
mayfly_test(NAME json_scan RUNG prop SOURCES prop/prop_json_scan.c LINK mf_fmt)
mayfly_fuzz(NAME json_scan SOURCES fuzz/fuzz_json_scan.c LINK mf_fmt
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/json_read")
mayfly_script_test(NAME views RUNG cli SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_views.sh" TIMEOUT 300)
mayfly_script_test(NAME views_run RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/views_run.sh")
mayfly_test(NAME views RUNG fault SOURCES fault/fault_views.c lib/flights.c lib/scratch.c LINK mf_flight)
