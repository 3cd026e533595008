# SPDX-License-Identifier: Apache-2.0
# What `make install` puts into a prefix is whole: headers that compile alone; a pkg-config file for
# outside programs, shared and static, C and C++; the listed symbols, no others; the manual and the
# completions.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
prefix=$scratch/stage/opt/mayfly
cc=${CC:-cc}
cxx=${CXX:-c++}

expect 0 env DESTDIR="$scratch/stage" cmake --install "$MAYFLY_BINARY_DIR" --prefix /opt/mayfly
for file in bin/mayfly include/mayfly/mayfly.h share/man/man1/mayfly.1 \
    share/bash-completion/completions/mayfly share/zsh/site-functions/_mayfly \
    share/fish/vendor_completions.d/mayfly.fish; do
    [ -s "$prefix/$file" ] || complain "$file was not installed"
done
outside=$(find "$scratch/stage" -type f -not -path "$prefix/*")
[ -z "$outside" ] || complain "installed outside of the prefix: $outside"
expect 0 "$prefix/bin/mayfly" --version

# ---- headers ----
umbrella=$(sed -n 's/^#include <mayfly\/\(.*\)>$/\1/p' "$prefix/include/mayfly/mayfly.h" | sort)
# bench.h belongs to a library of its own.
installed=$(find "$prefix/include/mayfly" -name '*.h' -printf '%f\n' |
    grep -vxE 'mayfly.h|bench.h' | sort)
[ "$umbrella" = "$installed" ] ||
    complain "mayfly.h includes $(xargs <<<"$umbrella"), installed are $(xargs <<<"$installed")"
for header in "$prefix"/include/mayfly/*.h; do
    printf '#include <mayfly/%s>\n#include <mayfly/%s>\n' "${header##*/}" "${header##*/}" \
        >"$scratch/alone.c"
    cp "$scratch/alone.c" "$scratch/alone.cc"
    expect 0 "$cc" -std=c11 -pedantic -Wall -Wextra -Wstrict-prototypes -Werror \
        -I"$prefix/include" -fsyntax-only "$scratch/alone.c"
    expect 0 "$cxx" -std=c++17 -pedantic -Wall -Wextra -Werror -I"$prefix/include" -fsyntax-only \
        "$scratch/alone.cc"
done

# ---- symbols ----
lib=$(dirname "$(find "$prefix" -name libmayfly.a)")
exported=$(nm -D --defined-only "$lib/libmayfly.so" |
    awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort)
listed=$(sed -n 's/^ *\(mf_[a-z0-9_]*\);$/\1/p' "$MAYFLY_SOURCE_DIR/src/lib/mayfly.map")
if ! diff <(echo "$listed") <(echo "$exported") >"$scratch/difference"; then
    complain "mayfly.map (<) and libmayfly.so (>) differ:"
    grep '^[<>]' "$scratch/difference"
fi
foreign=$(nm -g --defined-only "$lib/libmayfly.a" 2>/dev/null | awk 'NF == 3 { print $3 }' |
    grep -v -e '^mf_' -e '^__gcov' -e '^__asan' -e '^__odr_asan' | xargs)
[ -z "$foreign" ] || complain "libmayfly.a defines names that do not begin with mf_: $foreign"
readelf -d "$lib/libmayfly.so" >"$scratch/dynamic"
grep -q 'SONAME.*\[libmayfly.so.0\]' "$scratch/dynamic" || complain "wrong soname"

# ---- an outside program ----
cp "$MAYFLY_SOURCE_DIR/examples/record_metrics.c" "$scratch/outside.c"
cp "$scratch/outside.c" "$scratch/outside.cc"
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
build() { # compiler, standard, source, pkg-config mode
    local flags
    flags=$(pkg-config --cflags --libs $4 mayfly) || return
    if [ -n "$4" ]; then
        flags=${flags/-lmayfly/-l:libmayfly.a}
    fi
    "$1" "$2" -Wall -Wextra -Werror "$3" $flags -o "$scratch/outside" &&
        "$scratch/outside" "$scratch/store"
}
expect 0 pkg-config --exact-version=0.1.0 mayfly
for mode in "" --static; do
    for language in c c++; do
        rm -rf "$scratch/store"
        if [ $language = c ]; then
            expect 0 build "$cc" -std=c11 "$scratch/outside.c" "$mode"
        else
            expect 0 build "$cxx" -std=c++17 "$scratch/outside.cc" "$mode"
        fi
        [ -s "$scratch/store/metrics.slab" ] || complain "the outside program recorded nothing"
        expect 1 "$scratch/outside" "$scratch/outside.c"
        stderr_has "$scratch/outside.c"
    done
done
finish
