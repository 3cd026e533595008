# SPDX-License-Identifier: Apache-2.0
# scripts/check finds what it is there for, and nothing in innocent look-alikes.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
check=$MAYFLY_SOURCE_DIR/scripts/check
mark='TO''DO'

{
    echo '/* SPDX-License-Identifier: Apache-2.0'
    echo ' * malloc( in a comment, open( too'
    echo ' */'
    echo '#include "base/heap.h"'
    echo 'static const char *text = "free(x) /* open(y)"; /* strcpy( */'
    echo 'int f(void)'
    echo '{'
    echo '    mf_free(0); table->open(1); my_open(2); reopen(3); // sleep(1)'
    echo '    return text[0];'
    echo '}'
} >"$scratch/innocent.c"
expect 0 "$check" "$scratch/innocent.c"
stdout_is ""

bad() { # lines of a file; the complaint
    printf '%s\n' "/* SPDX-License-Identifier: Apache-2.0 */" "$1" >"$scratch/bad.c"
    expect 1 "$check" "$scratch/bad.c"
    stdout_is "$scratch/bad.c:2: $2
1 problems"
}
bad 'void *p = malloc(1);' 'malloc(): the heap: use base/heap.h'
bad 'x = /* c */ free (p);' 'free(): the heap: use base/heap.h'
bad 'fd = open("x", 0);' 'open(): files: use os/file.h'
bad '    fsync(fd);' 'fsync(): files: use os/file.h'
bad 'pthread_mutex_lock(&m);' 'pthread_mutex_lock(): threads: use os/thread.h'
bad 'clock_gettime(id, &now);' 'clock_gettime(): the clock: use os/clock.h'
bad 'n = atoi(s);' 'atoi(): unbounded or unchecked'
bad 'sprintf(s, "%d", 1);' 'sprintf(): unbounded or unchecked'
bad '#include <assert.h>' 'assert.h: use base/check.h'
bad "/* $mark: later */" 'finish it now, or say why not in words'
bad 'int x; ' 'blanks at the end of the line'
bad "/* $(printf '%0100d' 0) */" 'longer than 100 columns'

printf '%0121d\n' 0 >"$scratch/bad.sh"
expect 1 "$check" "$scratch/bad.sh"
stdout_has "bad.sh:1: longer than 120 columns"
printf '%0120d\n' 0 >"$scratch/bad.sh"
expect 0 "$check" "$scratch/bad.sh"

printf 'See [this](innocent.c), [that](https://example.org/x) and\n[those](nowhere.md#part).\n' \
    >"$scratch/bad.md"
expect 1 "$check" "$scratch/bad.md"
stdout_is "$scratch/bad.md:2: the link leads nowhere: nowhere.md
1 problems"

echo 'int x;' >"$scratch/bad.c"
expect 1 "$check" "$scratch/bad.c"
stdout_has "bad.c:1: the first line must be the SPDX licence identifier"
printf '/* SPDX-License-Identifier: Apache-2.0 */' >"$scratch/bad.c"
expect 1 "$check" "$scratch/bad.c"
stdout_has "bad.c: no line feed at the end"
{
    echo '/* SPDX-License-Identifier: Apache-2.0 */'
    yes '' | head -900
} >"$scratch/bad.c"
expect 1 "$check" "$scratch/bad.c"
stdout_has "bad.c:900: the file has 901 lines"
mkdir "$scratch/other"
cp "$scratch/innocent.c" "$scratch/other/"
expect 1 "$check" "$scratch/innocent.c" "$scratch/other/innocent.c"
stdout_has "the name innocent.c is taken more than once"
finish
