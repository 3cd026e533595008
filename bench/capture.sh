#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How many points of short lives are kept: by a store inside the process, and by a real Prometheus
# that scrapes the same gauge from it. Real processes in real time (bench_capture.c).
#   bench/capture.sh [--full | --quick] [--json]
# By default lives of 5 and 10 s and scrapes every 3 and 6 s, half a minute; --full has lives of 5,
# 10, 30 and 45 s and scrapes every 15 and 30 s, two minutes. For each length of life one starts
# every second, over the longest scrape interval, so that every phase between the two occurs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=${MAYFLY_BENCH_DIR:-$here/../build/release/bench}
# shellcheck source=bench/prometheus.sh
. "$here/prometheus.sh"

lives="5 10"
scrapes="3 6"
options=()
for option in "$@"; do
    case "$option" in
    --full) lives="5 10 30 45" scrapes="15 30" ;;
    --quick) lives="2 4" scrapes="1 2" ;;
    --json) options+=(--json) ;;
    *)
        echo "usage: bench/capture.sh [--full | --quick] [--json]" >&2
        exit 64
        ;;
    esac
done
command -v prometheus >/dev/null || {
    echo "bench/capture.sh: prometheus is not installed: scripts/deps test" >&2
    exit 69
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mayfly-bench-XXXXXX")
started=()
trap 'stop "${started[@]}"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

starts=${scrapes##* } # one per second
count=$((1 + $(wc -w <<<"$lives") * starts))
read -ra ports <<<"$("$programs/bench_capture" ports "$count" | xargs)"

# ---- which life has which port ----
: >"$scratch/lives"
next=1
for life in $lives; do
    for ((start = 0; start < starts; start++)); do
        echo "$life ${ports[next]} $scratch/$life-$start" >>"$scratch/lives"
        next=$((next + 1))
    done
done

{
    echo "scrape_configs:"
    for scrape in $scrapes; do
        printf '  - job_name: "every %s s"\n    scrape_interval: %ss\n    scrape_timeout: %ss\n' \
            "$scrape" "$scrape" 1
        printf '    static_configs:\n      - targets: [%s]\n' \
            "$(awk '{ printf "%s\"127.0.0.1:%s\"", (NR > 1 ? ", " : ""), $2 }' "$scratch/lives")"
    done
} >"$scratch/prometheus.yml"
start_prometheus "$scratch" "${ports[0]}"
started+=("$prometheus_pid")

# ---- the lives ----
begun=$SECONDS
for ((start = 0; start < starts; start++)); do
    while read -r life port store; do
        [ "${store##*-}" -ne "$start" ] ||
            { "$programs/bench_capture" live "$store" "$port" "$life" & started+=($!); }
    done <"$scratch/lives"
    sleep 1
done 2>/dev/null
killed=0
for pid in "${started[@]:1}"; do
    code=0
    wait "$pid" 2>/dev/null || code=$?
    [ "$code" -ne 137 ] || killed=$((killed + 1))
done 2>/dev/null
[ "$killed" -eq $((${#started[@]} - 1)) ] || {
    echo "bench/capture.sh: only $killed of $((${#started[@]} - 1)) lives came to their end" >&2
    exit 1
}
sleep 1 # so that the last scrape is stored

curl -fsS -G "$prometheus_url/api/v1/query" \
    --data-urlencode "query=count_over_time(capture_value[$((SECONDS - begun + 60))s])" \
    >"$scratch/scrapes.json"
[ "${#options[@]}" -gt 0 ] ||
    printf '%s; %d lives, one start per second and length\n' \
        "$(prometheus --version 2>&1 | sed -n '1s/ (.*//p')" "$killed"
"$programs/bench_capture" table "$scratch" "${options[@]}"
