# mayfly_embed(<output.c> <name> <file>...): a C source with the files, one after the other, as the
# string `name`. Made when configuring, and again when one of the files changes.
function(mayfly_embed output name)
  set(bytes "")
  foreach(file ${ARGN})
    file(READ "${file}" hex HEX)
    string(APPEND bytes "${hex}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  endforeach()
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT "${output}" @ONLY CONTENT
    "/* Made by cmake/MayflyEmbed.cmake. */\nextern const char ${name}[];\nconst char ${name}[] = {\n${bytes}0};\n")
endfunction()
