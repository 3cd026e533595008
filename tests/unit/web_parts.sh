#!/usr/bin/env bash
# The report page's modules, without a browser.
set -euo pipefail
command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
cd "$MAYFLY_SOURCE_DIR/web"
exec node --test test/*.test.mjs
