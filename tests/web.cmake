# The page of `mayfly report`: its parts in node, the whole of it in a browser, its form in C.
mayfly_test(NAME report_template RUNG unit SOURCES unit/test_report_template.c LINK mf_report_template)
mayfly_script_test(NAME web_parts RUNG unit SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/unit/web_parts.sh")
mayfly_script_test(NAME web_report RUNG e2e SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/e2e/web_report.sh")
