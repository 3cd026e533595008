# Exports of a store, and its sealed archive.
set(here "${CMAKE_CURRENT_SOURCE_DIR}")
mayfly_test(NAME metrics_seal RUNG unit SOURCES "${here}/unit/metrics/seal_test.c" LINK mf_metrics)
if(NOT MAYFLY_HAVE_ZSTD AND TARGET test_unit_metrics_seal)
  target_compile_definitions(test_unit_metrics_seal PRIVATE WITHOUT_ZSTD)
endif()
mayfly_test(NAME seal_power_cut RUNG crash SOURCES "${here}/crash/seal_power_cut.c" LINK mf_metrics)
mayfly_test(NAME metrics_archive RUNG prop SOURCES "${here}/prop/prop_metrics_archive.c"
  LINK mf_metrics PRIVATE_OF metrics)
mayfly_fuzz(NAME metrics_archive SOURCES "${here}/fuzz/fuzz_metrics_archive.c"
  LINK mf_metrics PRIVATE_OF metrics CORPUS "${here}/fuzz/corpus/metrics_archive")
mayfly_fuzz(NAME export_cursor SOURCES "${here}/fuzz/fuzz_export_cursor.c"
  LINK mf_export PRIVATE_OF export CORPUS "${here}/fuzz/corpus/export_cursor")

mayfly_script_test(NAME metrics_archive RUNG golden
  SCRIPT "${here}/golden/metrics_archive.sh")
mayfly_script_test(NAME metrics RUNG cli SCRIPT "${here}/cli/test_metrics.sh")

# Makes stores for scripts.
add_executable(make_store "${here}/lib/make_store.c")
target_link_libraries(make_store PRIVATE mf_export Threads::Threads m)

if(MAYFLY_HAVE_CURL AND MAYFLY_HAVE_SNAPPY)
  foreach(entry unit/export_text:unit/export/text_test.c unit/export_cursor:unit/export/cursor_test.c
      unit/export_push_defects:unit/export/push_defects_test.c
      fault/export_memory:fault/export_memory.c)
    string(REGEX MATCH "^(.*)/(.*):(.*)$" _ "${entry}")
    mayfly_test(NAME "${CMAKE_MATCH_2}" RUNG "${CMAKE_MATCH_1}"
      SOURCES "${here}/${CMAKE_MATCH_3}" "${here}/lib/receiver.c"
      LINK mf_export "${SNAPPY_LIBRARY}")
  endforeach()
  mayfly_script_test(NAME metrics_push RUNG e2e SCRIPT "${here}/e2e/metrics_push.sh" TIMEOUT 300)
endif()
