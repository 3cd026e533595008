# mayfly_module(NAME <m> [SOURCES ...] [DEPENDS <lower modules>] [LINK <libraries>] [HEADERS <public headers>])
#
# One static library mf_<m>. What others may include of it:
#   include/mayfly/<header>   the installed headers named in HEADERS, seen through a directory of links
#                             made for this module alone, so that a module only sees what it depends on
#   src/<m>/api/<m>/*.h       headers shared inside the project, not installed
# What lies directly in src/<m>/ is private to the module (and to tests that ask for it).
function(mayfly_module)
  cmake_parse_arguments(M "" "NAME" "SOURCES;DEPENDS;LINK;HEADERS" ${ARGN})
  set(view "${CMAKE_BINARY_DIR}/view/${M_NAME}")
  file(MAKE_DIRECTORY "${view}/mayfly")
  foreach(header ${M_HEADERS})
    file(CREATE_LINK "${CMAKE_SOURCE_DIR}/include/mayfly/${header}" "${view}/mayfly/${header}" SYMBOLIC)
    set_property(GLOBAL APPEND PROPERTY MAYFLY_PUBLIC_HEADERS "${header}")
  endforeach()
  add_library(mf_${M_NAME} STATIC ${M_SOURCES})
  target_include_directories(mf_${M_NAME}
    PUBLIC "${view}" "${CMAKE_CURRENT_SOURCE_DIR}/api"
    PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_BINARY_DIR}")
  foreach(dependency ${M_DEPENDS})
    target_link_libraries(mf_${M_NAME} PUBLIC mf_${dependency})
  endforeach()
  target_link_libraries(mf_${M_NAME} PRIVATE ${M_LINK})
  set_property(GLOBAL APPEND PROPERTY MAYFLY_MODULES "mf_${M_NAME}")
  set_property(GLOBAL APPEND PROPERTY MAYFLY_LIBRARIES ${M_LINK})
endfunction()

# What the sanitizers are told by every test: an allocation that is too large returns NULL, as it does
# without them.
set(MAYFLY_SANITIZER_ENV "")
if(MAYFLY_SANITIZE)
  string(CONCAT MAYFLY_SANITIZER_ENV "ASAN_OPTIONS=allocator_may_return_null=1;"
    "UBSAN_OPTIONS=print_stacktrace=1;"
    "TSAN_OPTIONS=allocator_may_return_null=1:second_deadlock_stack=1;")
endif()

# mayfly_test(NAME <n> RUNG <unit|prop|fault|crash|golden|cli|e2e> SOURCES ... LINK ...
#             [PRIVATE_OF <module>] [TIMEOUT s])
# A cmocka program run by CTest; exit code 77 means skipped.
function(mayfly_test)
  cmake_parse_arguments(T "" "NAME;RUNG;PRIVATE_OF;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT MAYFLY_HAVE_CMOCKA)
    return()
  endif()
  set(target test_${T_RUNG}_${T_NAME})
  add_executable(${target} ${T_SOURCES})
  target_link_libraries(${target} PRIVATE ${T_LINK} PkgConfig::CMOCKA Threads::Threads m)
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/tests/lib")
  if(T_PRIVATE_OF)
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src/${T_PRIVATE_OF}"
      "${CMAKE_BINARY_DIR}/src/${T_PRIVATE_OF}")
  endif()
  add_test(NAME ${T_RUNG}/${T_NAME} COMMAND ${target})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${T_RUNG}/${T_NAME} PROPERTIES LABELS ${T_RUNG} SKIP_RETURN_CODE 77
    TIMEOUT ${T_TIMEOUT}
    ENVIRONMENT "${MAYFLY_SANITIZER_ENV}MAYFLY_BINARY_DIR=${CMAKE_BINARY_DIR};MAYFLY_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()

# mayfly_script_test(NAME <n> RUNG <cli|e2e|...> SCRIPT <path> [TIMEOUT s]): a shell script, same exit codes.
function(mayfly_script_test)
  cmake_parse_arguments(T "" "NAME;RUNG;SCRIPT;TIMEOUT" "" ${ARGN})
  add_test(NAME ${T_RUNG}/${T_NAME} COMMAND bash "${T_SCRIPT}")
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${T_RUNG}/${T_NAME} PROPERTIES LABELS ${T_RUNG} SKIP_RETURN_CODE 77
    TIMEOUT ${T_TIMEOUT}
    ENVIRONMENT "${MAYFLY_SANITIZER_ENV}MAYFLY=$<TARGET_FILE:mayfly>;MAYFLY_BINARY_DIR=${CMAKE_BINARY_DIR};MAYFLY_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()

# mayfly_fuzz(NAME <n> SOURCES ... LINK ... CORPUS <dir>): with MAYFLY_FUZZ a libFuzzer program that CTest
# runs for FUZZ_SECONDS (60), else a program that replays the corpus.
function(mayfly_fuzz)
  cmake_parse_arguments(F "" "NAME;CORPUS;PRIVATE_OF" "SOURCES;LINK" ${ARGN})
  set(target fuzz_${F_NAME})
  if(MAYFLY_FUZZ)
    add_executable(${target} ${F_SOURCES})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz/${F_NAME} COMMAND bash "${CMAKE_SOURCE_DIR}/scripts/fuzz-one"
      "$<TARGET_FILE:${target}>" "${F_CORPUS}")
    set_tests_properties(fuzz/${F_NAME} PROPERTIES LABELS fuzz TIMEOUT 0)
  else()
    add_executable(${target} ${F_SOURCES} "${CMAKE_SOURCE_DIR}/tests/lib/fuzz_replay.c")
    add_test(NAME fuzz/${F_NAME} COMMAND ${target} "${F_CORPUS}")
    set_tests_properties(fuzz/${F_NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
  target_link_libraries(${target} PRIVATE ${F_LINK} Threads::Threads m)
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/tests/lib")
  if(F_PRIVATE_OF)
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src/${F_PRIVATE_OF}")
  endif()
endfunction()
