# Everything that reads flights.
mayfly_test(NAME flight_find RUNG unit SOURCES unit/test_flight_find.c lib/scratch.c LINK mf_flight)
mayfly_test(NAME terminal_clean RUNG unit SOURCES unit/test_terminal_clean.c LINK mf_fmt)
