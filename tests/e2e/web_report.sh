#!/usr/bin/env bash
# The report page in headless Chromium, with flights of every kind.
set -euo pipefail
page="$MAYFLY_BINARY_DIR/web/report.html"
command -v node >/dev/null || { echo "skipped: no node"; exit 77; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    { echo "skipped: no Chromium"; exit 77; }
[ -f "$page" ] || { echo "skipped: no page, web/node_modules/uplot is missing"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR="$scratch"
node "$MAYFLY_SOURCE_DIR/web/test/e2e.mjs" "$browser" "$page" "$scratch/pages"
