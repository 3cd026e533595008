# SPDX-License-Identifier: Apache-2.0
# Stores and the real receivers of Debian: Prometheus (strict in order and age) by remote write, by
# a scrape and by blocks made from OpenMetrics; VictoriaMetrics (takes everything). Started here on
# loopback ports with storage in the test's directory, and stopped at the end.
. "$MAYFLY_SOURCE_DIR/tests/lib/expect.sh"
make_store=$MAYFLY_BINARY_DIR/tests/make_store
for program in prometheus promtool victoria-metrics openssl perl; do
    command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; exit 77; }
done
export no_proxy=127.0.0.1
now=$(date +%s)

# start NAME READY COMMAND...: runs the command with PORT replaced by a free port, waits until the
# function READY is true; $port is the port.
start() {
    local name=$1 ready=$2 attempt=0 pid
    shift 2
    while [ $attempt -lt 20 ]; do
        attempt=$((attempt + 1))
        port=$((20000 + RANDOM % 20000))
        "${@//PORT/$port}" >"$scratch/$name.log" 2>&1 &
        pid=$!
        for _ in $(seq 300); do
            if "$ready"; then
                return
            fi
            kill -0 "$pid" 2>/dev/null || break # the port was taken
            sleep 0.1
        done
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    echo "$name does not start:"
    tail -5 "$scratch/$name.log"
    exit 1
}

answers() {
    promtool query instant "http://127.0.0.1:$port" 1 >/dev/null 2>&1
}

# ask EXPRESSION: the value of an instant query, without labels and time
ask() {
    promtool query instant "http://127.0.0.1:$port" "$1" | sed 's/.* => \(.*\) @.*/\1/'
}
answer_is() {
    local got
    last="query $1"
    got=$(ask "$1")
    [ "$got" = "$2" ] || complain "it is '$got' instead of '$2'"
}
answers_with() { [ "$(ask "$1")" = "$2" ]; }

# ---- a scrape of the newest values ----
"$make_store" "$scratch/scraped" "$now" 45 || exit 1
"$make_store" serve "$scratch/scraped" >"$scratch/serve.port" &
await [ -s "$scratch/serve.port" ]
cat >"$scratch/prometheus.yml" <<CONFIG
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: mayfly
    honor_labels: true
    static_configs: [{targets: ["127.0.0.1:$(cat "$scratch/serve.port")"]}]
CONFIG
start prometheus answers prometheus --config.file="$scratch/prometheus.yml" \
    --storage.tsdb.path="$scratch/prometheus" --web.enable-remote-write-receiver \
    --web.listen-address=127.0.0.1:PORT
await answers_with 'up{job="mayfly"}' 1
answer_is 'g{job="vm",instance!="pushed"}' 44
answer_is 'c_total{instance!="pushed"}' 88
answer_is 'h_seconds_count{instance!="pushed"}' 45
answer_is 'h_seconds_bucket{instance!="pushed",le="+Inf"}' 45
answer_is 'h_seconds_bucket{instance!="pushed",le="0.5"}' 34

# ---- remote write: 45 seconds are 45 points; this Prometheus does not store 2.0, which is noticed
push() {
    expect 0 "$MAYFLY" metrics push --json --url "http://127.0.0.1:$port/api/v1/write" "$@"
}
label=(--label instance=pushed)
"$make_store" "$scratch/store" "$now" 45 || exit 1
push "${label[@]}" "$scratch/store"
stdout_has '"fell_back":true'
stdout_has '"protocol":1,'
stdout_has '"refused":0,'
stdout_has '"finished":1,'
answer_is 'count_over_time(g{job="vm",instance="pushed"}[10m])' 45
answer_is 'count_over_time(c_total{instance="pushed"}[10m])' 45
answer_is 'sum_over_time(g{job="vm",instance="pushed"}[10m])' $((44 * 45 / 2))
answer_is 'c_total{instance="pushed"}' 88
answer_is 'h_seconds_count{instance="pushed"}' 45
answer_is 'h_seconds_bucket{instance="pushed",le="0.5"}' 34
answer_is 'histogram_quantile(1, h_seconds_bucket{instance="pushed"})' 1
push "${label[@]}" "$scratch/store"
stdout_has '"requests":0,'

# ---- a writer that was killed: all of it arrives ----
{ "$make_store" "$scratch/killed" "$now" 30 killed & } 2>/dev/null
wait $! 2>/dev/null
push --label instance=killed "$scratch/killed"
stdout_has '"finished":1,'
answer_is 'count_over_time(g{job="vm",instance="killed"}[10m])' 30

# ---- a lost cursor: nothing is stored twice, nothing new is lost ----
"$make_store" "$scratch/lost" "$((now - 20))" 20 || exit 1
push --label instance=lost "$scratch/lost"
rm "$scratch"/lost/push-*.cursor
push --label instance=lost "$scratch/lost"
answer_is 'count_over_time(g{job="vm",instance="lost"}[10m])' 20
"$make_store" "$scratch/lost" "$now" 20 || exit 1
rm "$scratch"/lost/push-*.cursor
push --label instance=lost "$scratch/lost"
answer_is 'count_over_time(g{job="vm",instance="lost"}[10m])' 41

# ---- a folder, all the time: new stores are found, and those that end are sent to their end ----
mkdir "$scratch/vms"
"$make_store" "$scratch/vms/a/metrics" "$now" 5 || exit 1
"$make_store" "$scratch/vms/b/metrics" "$now" 5 live &
vm=$!
await [ -e "$scratch/vms/b/metrics/metrics.slab" ]
timeout 60 "$MAYFLY" metrics push --quiet --url "http://127.0.0.1:$port/api/v1/write" \
    --interval 200ms --until-ended "$scratch/vms" &
pusher=$!
await answers_with 'count_over_time(g{job="vm",instance="a"}[10m])' 5
"$make_store" "$scratch/vms/c/metrics" "$now" 5 || exit 1
await answers_with 'count_over_time(g{job="vm",instance="c"}[10m])' 5
kill "$vm"
last="push --until-ended"
wait "$pusher" || complain "exit code $?"
answer_is 'count_over_time(g{job="vm",instance="a"}[10m])' 5
answer_is 'count_over_time(g{job="vm",instance="c"}[10m])' 5
b='g{job="vm",instance="b"}[10m]'
answer_is "max_over_time($b) + 1 - count_over_time($b)" 0

# ---- TLS and a password ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=test \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$scratch/key.pem" -out "$scratch/cert.pem" 2>/dev/null
cat >"$scratch/web.yml" <<CONFIG
tls_server_config: {cert_file: $scratch/cert.pem, key_file: $scratch/key.pem}
basic_auth_users: {me: $(perl -e 'print crypt("secret", "\$2b\$04\$" . "abcdefghijklmnopqrstuu")')}
CONFIG
echo "global: {}" >"$scratch/empty.yml"
plain_port=$port
push_secure() {
    "$MAYFLY" metrics push --url "https://127.0.0.1:$port/api/v1/write" --attempts 1 --json \
        --label instance=secure "$@" "$scratch/store"
}
refuses() { # for want of a password
    case $(push_secure --ca-file "$scratch/cert.pem" 2>&1) in
    *401*) return 0 ;;
    esac
    return 1
}
start secure refuses prometheus --config.file="$scratch/empty.yml" \
    --storage.tsdb.path="$scratch/secure" --web.config.file="$scratch/web.yml" \
    --web.enable-remote-write-receiver --web.listen-address=127.0.0.1:PORT
echo "me:secret" >"$scratch/password"
expect 76 push_secure --basic-auth-file "$scratch/password"
stderr_has "certificate"
expect 76 push_secure --ca-file "$scratch/cert.pem"
stderr_has "HTTP status 401"
expect 0 push_secure --ca-file "$scratch/cert.pem" --basic-auth-file "$scratch/password"
stdout_has '"finished":1,'
stdout_has '"refused":0,'
export PASSWORD=me:secret
expect 0 push_secure --ca-file "$scratch/cert.pem" --basic-auth-env PASSWORD
stdout_has '"requests":0,'
port=$plain_port

# ---- too old for remote write: refused and counted, and the way in by blocks ----
old=$((now - 10800))
"$make_store" "$scratch/old" "$old" 45 || exit 1
push --label instance=old "$scratch/old"
stdout_has '"samples":0,'
stdout_has 'out of bounds'
expect 0 "$MAYFLY" metrics export "$scratch/old" -o "$scratch/old.om"
expect 0 promtool tsdb create-blocks-from openmetrics "$scratch/old.om" "$scratch/blocks"
expect 0 promtool tsdb list "$scratch/blocks"
samples=$(awk 'NR > 1 { sum += $5 } END { print sum }' "$out")
written=$(grep -c -v '^#' "$scratch/old.om")
last="samples in blocks"
[ "$samples" = "$written" ] || complain "$samples in the blocks, $written in the text"

# ---- VictoriaMetrics takes it as it is ----
start victoria answers victoria-metrics -storageDataPath="$scratch/victoria" \
    -httpListenAddr=127.0.0.1:PORT -retentionPeriod=1d
push --label instance=old "$scratch/old"
stdout_has '"refused":0,'
points='count_over_time(g{job="vm",instance="old"}[10m] offset 175m)'
await answers_with "$points" 45 # it shows new data after a moment
finish
