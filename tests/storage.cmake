# Foundation: base, os, reclog.
mayfly_test(NAME base RUNG unit SOURCES unit/test_base.c LINK mf_base PRIVATE_OF base)
mayfly_test(NAME os_file RUNG unit SOURCES unit/test_os_file.c lib/scratch.c LINK mf_os)
mayfly_test(NAME os_thread RUNG unit SOURCES unit/test_os_thread.c LINK mf_os)
mayfly_test(NAME simdisk RUNG unit SOURCES unit/test_simdisk.c LINK mf_os)
mayfly_test(NAME simdisk RUNG prop SOURCES prop/prop_simdisk.c lib/scratch.c LINK mf_os)
mayfly_test(NAME reclog RUNG unit SOURCES unit/test_reclog.c LINK mf_reclog PRIVATE_OF reclog)
