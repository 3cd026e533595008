# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# prometheus.sh -- a Prometheus of one's own, for the scripts beside it, which source this.
#
#   start_prometheus DIRECTORY PORT   runs it with DIRECTORY/prometheus.yml and its data in
#                                     DIRECTORY, on a loopback port; sets $prometheus_pid and
#                                     $prometheus_url, and returns when it has tried each target
#   stop PID...                       ends processes that this script started, and waits for them

stop() {
    local pid
    for pid in "$@"; do
        kill "$pid" 2>/dev/null || continue
        wait "$pid" 2>/dev/null || true
    done
}

# Its service discovery takes 5 s before the first target is known at all.
start_prometheus() {
    local directory=$1 port=$2 tries targets=
    prometheus_url=http://127.0.0.1:$port
    prometheus --config.file="$directory/prometheus.yml" --storage.tsdb.path="$directory/data" \
        --web.listen-address="127.0.0.1:$port" --log.level=warn >"$directory/prometheus.log" 2>&1 &
    prometheus_pid=$!
    for ((tries = 0; tries < 600; tries++)); do
        kill -0 "$prometheus_pid" 2>/dev/null || break
        targets=$(curl -fsS "$prometheus_url/api/v1/targets?state=active" 2>/dev/null) || targets=
        [[ $targets != *'"lastScrape":"'* || $targets == *'"lastScrape":"0001-'* ]] || return 0
        sleep 0.1
    done
    echo "Prometheus does not scrape; it said:" >&2
    tail -5 "$directory/prometheus.log" >&2
    return 1
}
