set(here "${CMAKE_CURRENT_SOURCE_DIR}")
mayfly_test(NAME metrics_defects RUNG unit SOURCES "${here}/unit/metrics/defects_test.c" LINK mf_metrics)
mayfly_test(NAME metrics_late RUNG unit SOURCES "${here}/unit/metrics/late_test.c" LINK mf_metrics)
foreach(name slot histogram labels selector tiers series counters files)
  mayfly_test(NAME metrics_${name} RUNG unit SOURCES "${here}/unit/metrics/${name}_test.c" LINK mf_metrics
    PRIVATE_OF metrics)
endforeach()
mayfly_test(NAME metrics RUNG prop SOURCES "${here}/prop/prop_metrics.c" "${here}/lib/metrics_model.c" LINK mf_metrics
  TIMEOUT 600)
mayfly_test(NAME metrics_step RUNG crash SOURCES "${here}/crash/metrics_step.c" "${here}/lib/metrics_answers.c"
  LINK mf_metrics)
