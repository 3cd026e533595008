#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The memory of a real Prometheus and node-exporter that scrape and are scraped on this machine, to
# put beside what bench_memory says of a store.
#   bench/memory.sh [--quick] [--json]
# Both are started here, on loopback ports, with a scrape interval of 15 s and all else as it comes;
# they are looked at after a minute (--quick: ten seconds).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=${MAYFLY_BENCH_DIR:-$here/../build/release/bench}
# shellcheck source=bench/prometheus.sh
. "$here/prometheus.sh"

wait_s=60
json=
for option in "$@"; do
    case "$option" in
    --quick) wait_s=10 ;;
    --json) json=1 ;;
    *)
        echo "usage: bench/memory.sh [--quick] [--json]" >&2
        exit 64
        ;;
    esac
done
for command in prometheus prometheus-node-exporter; do
    command -v "$command" >/dev/null || {
        echo "bench/memory.sh: $command is not installed: scripts/deps test" >&2
        exit 69
    }
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mayfly-bench-XXXXXX")
started=()
trap 'stop "${started[@]}"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
read -ra ports <<<"$("$programs/bench_capture" ports 2 | xargs)"

prometheus-node-exporter --web.listen-address="127.0.0.1:${ports[1]}" --log.level=error \
    >"$scratch/exporter.log" 2>&1 &
started+=($!)
cat >"$scratch/prometheus.yml" <<YAML
global: {scrape_interval: 15s, evaluation_interval: 15s}
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["127.0.0.1:${ports[0]}"]}]}
  - {job_name: node, static_configs: [{targets: ["127.0.0.1:${ports[1]}"]}]}
YAML
start_prometheus "$scratch" "${ports[0]}"
started+=("$prometheus_pid")
sleep "$wait_s"

resident_kib() {
    awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}
prometheus_kib=$(resident_kib "$prometheus_pid")
exporter_kib=$(resident_kib "${started[0]}")
scraped=$(curl -fsS "http://127.0.0.1:${ports[1]}/metrics" | grep -vc '^#')
if [ -n "$json" ]; then
    printf '{"schema_version": 1, "suite": "memory-prometheus", "seconds": %d,\n' "$wait_s"
    printf ' "prometheus_kib": %d, "node_exporter_kib": %d, "node_series": %d}\n' \
        "$prometheus_kib" "$exporter_kib" "$scraped"
else
    printf 'resident KiB after %d s of scrapes every 15 s\n' "$wait_s"
    printf '  %-56s %12d\n' "$(prometheus --version 2>&1 | sed -n '1s/ (.*//p')" "$prometheus_kib"
    printf '  %-56s %12d\n' \
        "$(prometheus-node-exporter --version 2>&1 | sed -n '1s/ (.*//p'), $scraped series" \
        "$exporter_kib"
fi
