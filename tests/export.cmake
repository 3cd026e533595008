# Exports of a store, and its sealed archive.
set(here "${CMAKE_CURRENT_SOURCE_DIR}")
if(MAYFLY_HAVE_CURL AND MAYFLY_HAVE_SNAPPY)
  foreach(name push_defects)
    mayfly_test(NAME export_${name} RUNG unit
      SOURCES "${here}/unit/export/${name}_test.c" "${here}/lib/receiver.c"
      LINK mf_export "${SNAPPY_LIBRARY}")
  endforeach()
endif()
mayfly_test(NAME metrics_seal RUNG unit SOURCES "${here}/unit/metrics/seal_test.c" LINK mf_metrics)
add_executable(make_store "${here}/lib/make_store.c")
target_link_libraries(make_store PRIVATE mf_export Threads::Threads m)
if(MAYFLY_HAVE_CURL AND MAYFLY_HAVE_SNAPPY)
  mayfly_script_test(NAME metrics_push RUNG e2e SCRIPT "${here}/e2e/metrics_push.sh" TIMEOUT 300)
endif()
