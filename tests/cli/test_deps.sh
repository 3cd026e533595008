# SPDX-License-Identifier: Apache-2.0
# scripts/deps leaves a machine alone that has everything, and says what to do on an unknown one.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
deps=$MAYFLY_SOURCE_DIR/scripts/deps

mkdir "$scratch/watched" "$scratch/other"
printf '#!/bin/sh\necho "apt-get $*" >>"%s/called"\nexit 1\n' "$scratch" >"$scratch/watched/apt-get"
printf '#!/bin/sh\necho "npm $*" >>"%s/called"\nexit 1\n' "$scratch" >"$scratch/watched/npm"
chmod +x "$scratch/watched/"*
expect 64 "$deps" everything
stderr_has "usage: scripts/deps [build|test|dev"
if dpkg-query -W libjansson-dev libcurl4-openssl-dev libsnappy-dev libzstd-dev libssl-dev \
    >/dev/null 2>&1 &&
    cmp -s "$MAYFLY_SOURCE_DIR/web/package-lock.json" \
        "$MAYFLY_SOURCE_DIR/web/node_modules/.installed-lock.json"; then
    expect 0 env PATH="$scratch/watched:$PATH" "$deps" build
    stdout_is ""
    [ ! -e "$scratch/called" ] || complain "it called: $(cat "$scratch/called")"
else
    echo "not checked: something is missing on this machine, so that scripts/deps has work to do"
fi

for tool in bash dirname cat; do
    ln -s "$(command -v $tool)" "$scratch/other/"
done
expect 69 env PATH="$scratch/other" bash "$deps" build
stderr_has "scripts/deps: this is not Debian; please install by its own means what"
stderr_has "ninja-build"
finish
