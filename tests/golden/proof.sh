#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proofs that an earlier build has made are checked by the example, which knows no store; and the same
# with a byte changed, or for another root, are refused. The files pin the format.
set -euo pipefail
here=$MAYFLY_SOURCE_DIR/tests/golden/proof
check=$MAYFLY_BINARY_DIR/examples/example_check_proof
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
{ read -r old && read -r root; } <"$here/roots"

fail() {
    echo "FAILED: $*"
    exit 1
}
holds() { # FILE ROOT OUTPUT
    [ "$("$check" "$here/$1" "$2")" = "$3" ] || fail "$1 does not hold under $2 as \"$3\""
}
refused() { # FILE ROOT WORDS
    if "$check" "$1" "$2" >"$scratch/out" 2>"$scratch/err"; then
        fail "$1 holds under $2"
    fi
    grep -q "$3" "$scratch/err" || fail "$1 under $2: $(cat "$scratch/err")"
}

holds commit "$root" ""
holds extension "$root" ""
holds extension "$old" ""
holds key "$root" '"key 7" is value 20'
holds absent "$root" '"key 70" is absent'

for file in commit key absent; do
    refused "$here/$file" "$old" "is for the root"
done
refused "$here/key" "${root%?}" "is no root"
refused "$here/key" "${root/-/-0}" "is no root"
for file in commit extension key absent; do
    size=$(stat -c %s "$here/$file")
    for at in 0 8 20 $((size / 2)) $((size - 1)); do
        cp "$here/$file" "$scratch/changed"
        printf '\251' | dd of="$scratch/changed" bs=1 seek="$at" conv=notrunc status=none
        refused "$scratch/changed" "$root" "proof"
    done
    head -c $((size - 1)) "$here/$file" >"$scratch/changed"
    refused "$scratch/changed" "$root" "proof"
    cp "$here/$file" "$scratch/changed"
    echo >>"$scratch/changed"
    refused "$scratch/changed" "$root" "proof"
done
echo "all proofs are as they were"
