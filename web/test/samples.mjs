// Flights to look at and to test with, made from a seed: typical, oom, tiny, empty, bare, hostile,
// large and a comparison. `node test/samples.mjs report.html DIR` writes a page for each.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// As the recorder's writer must do it: no character that HTML or JavaScript could take for its own.
export function embed(template, data) {
    const json = JSON.stringify(data).replace(
        /[<\u2028\u2029]/g,
        (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"),
    );
    return template.replace("@DATA@", () => json);
}

function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let x = Math.imul(state ^ (state >>> 15), state | 1);
        x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
        return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
    };
}

const MIB = 1048576;

function frame(changes) {
    return {
        schema_version: 1,
        flight: {
            id: "20250314-101502-7f3a",
            name: "nightly build",
            command: ["make", "-j2", "all", "CFLAGS=-O2 -g"],
            cwd: "/home/dev/mayfly",
            host: "builder-04",
            kernel: "6.18.4",
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
            tags: ["branch=main", "commit=9f1c2ab", "nightly"],
            env: { CFLAGS: "-O2 -g" },
            started_wall_ms: 1741947302123,
            duration_ms: 0,
            interval_ms: 100,
            state: "ended",
            limits: { cpu_cores: 2, memory_bytes: 1024 * MIB },
            recorder: {
                version: "mayfly 0.1.0",
                rung: "full",
                facilities: ["cgroup", "connector", "taskstats"],
                memory_peak_source: "cgroup",
                cannot_see: [
                    "CPU of threads shorter than one interval is counted in their process only",
                    "The peaks of single processes count shared pages once for each",
                ],
                notes: [],
            },
            ...changes,
        },
        outcome: {
            kind: "exited",
            exit_code: 0,
            signal: null,
            text: "exited with code 0",
            evidence: [],
        },
        totals: {},
        series: [],
        processes: [],
        output: { lines: [], omitted: { lines: 0, bytes: 0, note: "" } },
        events: [],
    };
}

// A parallel build: make, a shell per recipe, cc with cpp/cc1/as below it, a link, tests.
export function build(seed, files, options = {}) {
    const next = random(seed);
    const between = (low, high) => low + (high - low) * next();
    const data = frame(options.flight);
    const jobs = options.jobs || 2;
    const processes = [];
    const lines = [];
    const events = [];
    let pid = 48210;
    const add = (parent, comm, argv, start, end, extra = {}) => {
        const process = {
            id: processes.length + 1,
            parent_id: parent,
            pid: pid++,
            comm,
            argv,
            start_ms: round(start),
            end_ms: round(end),
            exit_code: 0,
            signal: null,
            cpu_ms: round((end - start) * between(0.02, 0.1)),
            memory_peak_bytes: Math.round(between(1, 4) * MIB),
            io_read_bytes: 0,
            io_write_bytes: 0,
            threads: 1,
            exec: [{ t_ms: round(start + 0.3), comm, argv }],
            ...extra,
        };
        processes.push(process);
        events.push({
            id: events.length + 1,
            parent: null,
            t_ms: process.start_ms,
            kind: "process.exec",
            text: argv.join(" "),
            pid: process.pid,
        });
        return process;
    };
    const round = (t) => Math.round(t * 100) / 100;
    const say = (t, text, stream = "stdout", more = {}) =>
        lines.push({ t_ms: round(t), stream, text, partial: false, binary: false, ...more });
    const make = add(null, "make", data.flight.command, 2, 0);
    say(6, "make: Entering directory '/home/dev/mayfly'");
    add(make.id, "uname", ["uname", "-m"], 8, 9.2);
    add(make.id, "pkg-config", ["pkg-config", "--cflags", "jansson", "libcurl"], 10, 16);
    const workers = Array.from({ length: jobs }, () => 22);
    for (let i = 0; i < files; i++) {
        const worker = workers.indexOf(Math.min(...workers));
        const start = workers[worker] + between(1, 6);
        const weight =
            (next() < 0.08 ? between(900, 2600) : between(90, 620)) * (options.speed || 1);
        const file =
            "src/" +
            ["metrics", "stream", "base", "os", "reclog", "flight"][i % 6] +
            "/" +
            ["slab", "query", "tier", "frame", "record", "label", "crc"][i % 7] +
            "_" +
            i +
            ".c";
        const fails = options.failAt === i;
        const argv = [
            "cc",
            "-O2",
            "-g",
            "-Wall",
            "-Iinclude",
            "-c",
            file,
            "-o",
            file.replace("src", "build").replace(/c$/, "o"),
        ];
        const end = start + weight;
        const cc = add(make.id, "cc", argv, start, end, { exit_code: fails ? 1 : 0 });
        add(
            cc.id,
            "cc1",
            ["/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-I", "include", file, "-O2"],
            start + 3,
            end - weight * 0.08,
            {
                cpu_ms: round(weight * between(0.82, 0.9)),
                memory_peak_bytes: Math.round((20 + weight / 12) * MIB),
                exit_code: fails ? 1 : 0,
                io_read_bytes: Math.round(between(0, 900000)),
            },
        );
        if (!fails) {
            add(
                cc.id,
                "as",
                ["as", "--64", "-o", "/tmp/cc" + i + ".o"],
                end - weight * 0.08,
                end - 1,
                {
                    cpu_ms: round(weight * 0.06),
                    io_write_bytes: Math.round(between(20000, 300000)),
                },
            );
        }
        say(start, "\u001b[2mCC\u001b[0m  \u001b[32m" + file + "\u001b[0m");
        if (i % 9 === 4) {
            say(
                end - 20,
                "\u001b[1m" +
                    file +
                    ":" +
                    (40 + i) +
                    ":17:\u001b[0m \u001b[1;35mwarning:\u001b[0m unused variable " +
                    "\u001b[1m'spare'\u001b[0m [\u001b[1;35m-Wunused-variable\u001b[0m]",
                "stderr",
            );
            say(
                end - 20,
                "   " + (40 + i) + " |         uint32_t \u001b[1;35mspare\u001b[0m = 0;",
                "stderr",
            );
            say(end - 20, "      |                  \u001b[1;35m^~~~~\u001b[0m", "stderr");
        }
        if (fails) {
            say(
                end - 10,
                "\u001b[1m" +
                    file +
                    ":118:9:\u001b[0m \u001b[1;31merror:\u001b[0m implicit declaration " +
                    "of function '\u001b[1mmf_slab_opn\u001b[0m'",
                "stderr",
            );
            say(end, "make: *** [Makefile:41: " + argv[argv.length - 1] + "] Error 1", "stderr");
        }
        workers[worker] = end;
    }
    let end = Math.max(...workers);
    if (options.failAt === undefined) {
        const link = add(
            make.id,
            "cc",
            ["cc", "-o", "build/mayfly", "build/*.o", "-lcurl", "-ljansson"],
            end + 5,
            end + 640,
        );
        add(link.id, "ld", ["/usr/bin/ld", "-o", "build/mayfly"], end + 20, end + 630, {
            cpu_ms: 480,
            memory_peak_bytes: 310 * MIB,
            io_read_bytes: 48 * MIB,
            io_write_bytes: 21 * MIB,
        });
        say(end + 5, "\u001b[2mLD\u001b[0m  build/mayfly");
        say(end + 655, "Progress:  10%\rProgress:  55%\rProgress: 100%  done");
        events.push({
            id: events.length + 1,
            parent: null,
            t_ms: 20,
            end_ms: round(end),
            kind: "user",
            text: "compile",
            pid: make.pid,
        });
        events.push({
            id: events.length + 1,
            parent: null,
            t_ms: round(end + 5),
            end_ms: round(end + 640),
            kind: "user",
            text: "link",
            pid: make.pid,
        });
        end += 660;
        add(make.id, "sh", ["/bin/sh", "-c", "for t in tests/*; do $t; done"], end, end + 900);
        for (let i = 0; i < 20; i++) {
            const at = end + 5 + i * 43;
            const crash = i === 13;
            add(
                processes.length,
                "test_" + i,
                ["tests/test_" + i],
                at,
                at + (i % 3 === 0 ? 1.2 : between(4, 35)),
                crash ? { exit_code: null, signal: 11 } : {},
            );
            say(
                at + 3,
                "test_" +
                    i +
                    " ... " +
                    (crash ? "\u001b[41;97m CRASH \u001b[0m" : "\u001b[92mok\u001b[0m"),
                crash ? "stderr" : "stdout",
            );
        }
        events.push({
            id: events.length + 1,
            parent: null,
            t_ms: round(end),
            end_ms: round(end + 900),
            kind: "user",
            text: "test",
            pid: make.pid,
        });
        events.push({
            id: events.length + 1,
            parent: null,
            t_ms: round(end + 570),
            kind: "user",
            level: "error",
            text: "test_13 crashed",
            pid: 48900,
        });
        end += 900;
    }
    say(end + 4, "make: Leaving directory '/home/dev/mayfly'");
    say(end + 6, "took 12", "stdout", { partial: true });
    make.end_ms = round(end + 8);
    make.cpu_ms = 61;
    if (options.failAt !== undefined) {
        make.exit_code = 2;
        data.outcome = {
            kind: "exited",
            exit_code: 2,
            signal: null,
            text:
                "exited with code 2; first failure: cc1 (pid " +
                processes.find((p) => p.exit_code === 1).pid +
                "), exit 1",
            evidence: ["wait status of the command: exited, code 2"],
        };
    }
    data.flight.duration_ms = round(end + 10);
    events.push({
        id: events.length + 1,
        parent: null,
        t_ms: 0,
        kind: "flight.start",
        text: "command started",
        pid: make.pid,
    });
    events.push({
        id: events.length + 1,
        parent: null,
        t_ms: round(end + 8),
        kind: "flight.end",
        text: data.outcome.text,
        pid: make.pid,
    });
    lines.sort((a, b) => a.t_ms - b.t_ms);
    data.processes = processes;
    data.output.lines = lines;
    data.events = events;
    addSeries(data, next, options.points || Infinity);
    return data;
}

function addSeries(data, next, pointsMax) {
    const { duration_ms, interval_ms } = data.flight;
    const step = Math.max(interval_ms, duration_ms / pointsMax);
    const columns = {
        user: [],
        system: [],
        memory: [],
        memoryMin: [],
        memoryMax: [],
        read: [],
        write: [],
        processes: [],
        threads: [],
        t: [],
    };
    const sorted = [...data.processes].sort((a, b) => a.start_ms - b.start_ms);
    for (let t = step; t < duration_ms + step; t += step) {
        const to = Math.min(t, duration_ms);
        let cpu = 0;
        let memory = 6 * MIB;
        let alive = 0;
        let read = 0;
        let write = 0;
        for (const process of sorted) {
            if (process.start_ms > to) {
                break;
            }
            const overlap = Math.min(process.end_ms, to) - Math.max(process.start_ms, to - step);
            if (overlap > 0) {
                const share = overlap / Math.max(process.end_ms - process.start_ms, 1);
                cpu += process.cpu_ms * share;
                read += process.io_read_bytes * share;
                write += process.io_write_bytes * share;
                if (process.end_ms >= to) {
                    alive++;
                    memory +=
                        process.memory_peak_bytes *
                        Math.min(
                            1,
                            (to - process.start_ms) /
                                Math.max(process.end_ms - process.start_ms, 1) +
                                0.2,
                        );
                }
            }
        }
        const cores = Math.min(cpu / step, 2.05);
        columns.t.push(Math.round(to * 10) / 10);
        columns.user.push(cores * 0.86);
        columns.system.push(cores * (0.1 + 0.08 * next()));
        columns.memory.push(Math.round(memory));
        columns.memoryMin.push(Math.round(memory * 0.85));
        columns.memoryMax.push(Math.round(memory * 1.1));
        columns.read.push(Math.round((read / step) * 1000));
        columns.write.push(Math.round((write / step) * 1000));
        columns.processes.push(alive);
        columns.threads.push(alive + (alive > 3 ? 1 : 0));
    }
    const gap = Math.floor(columns.t.length * 0.62);
    columns.read[gap] = columns.write[gap] = null;
    const make = (name, unit, value, type = "gauge", more = {}) => ({
        name,
        labels: {},
        unit,
        type,
        t_ms: columns.t,
        value,
        ...more,
    });
    data.series = [
        make("cpu_user", "cores", columns.user),
        make("cpu_system", "cores", columns.system),
        make("memory", "bytes", columns.memory, "gauge", {
            min: columns.memoryMin,
            max: columns.memoryMax,
        }),
        make("io_read", "bytes_per_second", columns.read),
        make("io_write", "bytes_per_second", columns.write),
        make("processes", "count", columns.processes),
        make("threads", "count", columns.threads),
        make(
            "pressure_cpu",
            "percent",
            columns.user.map((value) => value * 2),
        ),
        make(
            "pressure_memory",
            "percent",
            columns.user.map(() => 0),
        ),
        make(
            "faults_minor",
            "per_second",
            columns.user.map((value) => value * 90000),
        ),
        make(
            "switches",
            "per_second",
            columns.processes.map((value) => value * 310),
        ),
    ];
    const sum = (list, key) => list.reduce((total, one) => total + (one[key] || 0), 0);
    const cpu = sum(data.processes, "cpu_ms");
    data.totals = {
        cpu_user_ms: Math.round(cpu * 0.88),
        cpu_system_ms: Math.round(cpu * 0.12),
        memory_peak_bytes: Math.max(...columns.memoryMax, 0),
        io_read_bytes: sum(data.processes, "io_read_bytes"),
        io_write_bytes: sum(data.processes, "io_write_bytes"),
        processes: data.processes.length,
        threads_peak: Math.max(...columns.threads, 0),
        output_bytes: data.output.lines.reduce((total, line) => total + line.text.length + 1, 0),
        output_lines: data.output.lines.length,
        page_faults_major: 14,
        page_faults_minor: 1928331,
        context_switches: 48211,
    };
}

export function typical() {
    return build(7, 44);
}

export function failed() {
    return build(11, 40, {
        failAt: 31,
        speed: 0.8,
        flight: { name: "", id: "20250314-104410-02bc" },
    });
}

export function oom() {
    const data = build(3, 18, {
        flight: {
            name: "",
            id: "20250314-120001-aa10",
            command: ["bazel", "build", "//..."],
            limits: { cpu_cores: 2, memory_bytes: 512 * MIB },
        },
    });
    const end = data.flight.duration_ms;
    const killed = data.processes[data.processes.length - 30];
    Object.assign(killed, {
        exit_code: null,
        signal: 9,
        memory_peak_bytes: 402 * MIB,
        comm: "cc1plus",
        end_ms: end - 900,
    });
    const last = data.processes[data.processes.length - 1];
    Object.assign(last, { end_ms: null, exit_code: null });
    const memory = data.series.find((one) => one.name === "memory");
    memory.value = memory.value.map((value, i) =>
        Math.min(
            511 * MIB,
            Math.round(value * 0.4 + 430 * MIB * Math.pow(i / memory.value.length, 3)),
        ),
    );
    memory.min = memory.max = undefined;
    data.totals.memory_peak_bytes = 511 * MIB;
    data.outcome = {
        kind: "out of memory",
        exit_code: 137,
        signal: 9,
        text:
            "killed by the kernel: out of memory (limit 512 MiB, peak 511 MiB, " +
            "largest: cc1plus 402 MiB at 0:06.2)",
        evidence: [
            "memory.events: oom_kill rose from 0 to 1",
            "wait status: killed by signal 9",
            "memory.peak 535822336 of memory.max 536870912",
        ],
    };
    data.events.push({
        id: 9001,
        parent: null,
        t_ms: end - 900,
        kind: "oom",
        text: "cc1plus killed, 402 MiB",
        pid: killed.pid,
    });
    data.output.omitted = {
        lines: 12044,
        bytes: 1883212,
        note: "The middle of the output was dropped: over the limit of 64 MiB.",
    };
    return data;
}

// Shorter than one interval.
export function tiny() {
    const data = frame({ name: "", command: ["true"], duration_ms: 1.42, id: "t" });
    data.processes = [
        {
            id: 1,
            parent_id: null,
            pid: 4,
            comm: "true",
            argv: ["true"],
            start_ms: 0.2,
            end_ms: 1.3,
            exit_code: 0,
            signal: null,
            cpu_ms: 0.9,
            memory_peak_bytes: MIB,
            exec: [],
            start_exact: false,
            totals_exact: false,
        },
    ];
    data.series = [
        { name: "cpu_user", labels: {}, unit: "cores", type: "gauge", t_ms: [1.42], value: [0.4] },
    ];
    data.totals = { cpu_user_ms: 0.6, cpu_system_ms: 0.3, memory_peak_bytes: MIB, processes: 1 };
    return data;
}

export function empty() {
    return frame({ name: "", command: ["true"], duration_ms: 0, tags: [] });
}

export function bare() {
    return { schema_version: 1 };
}

export const HOSTILE_TEXT =
    '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">';

export function hostile() {
    const evil = HOSTILE_TEXT;
    const odd =
        "\u202Egnp.exe\u202C \u0000\u0007\u001b[31mred\u001b]0;title\u0007" +
        "\u001b]8;;javascript:alert(1)\u001b\\link " +
        "\u200b\u2066x\u2069 \ud83d\ude00 \u05e9\u05dc\u05d5\u05dd \"'`&amp;<!--";
    const data = frame({
        id: "../../etc/passwd" + evil,
        name: evil,
        command: [evil, "'; rm -rf /", odd, ""],
        cwd: "javascript:alert(1)",
        host: evil,
        tags: [evil + "=" + evil, "=", null, odd],
        env: { [evil]: evil, constructor: "z" },
        duration_ms: 5000,
        started_wall_ms: 1e300,
        interval_ms: -5,
        recorder: { version: evil, rung: odd, cannot_see: [evil, null, {}, 5] },
    });
    data.outcome = {
        kind: "__proto__",
        exit_code: "NaN",
        signal: evil,
        text: evil + odd,
        evidence: [evil, odd, null],
    };
    data.totals = {
        cpu_user_ms: 1e300,
        cpu_system_ms: -1e300,
        memory_peak_bytes: 1.7e308,
        [evil]: 3,
        processes: "many",
        io_read_bytes: null,
        toString: 4,
    };
    data.series = [
        {
            name: evil,
            labels: { [evil]: evil },
            unit: evil,
            type: evil,
            t_ms: [0, 1000, 500, 1000, "x", null, 1e300, -7],
            value: [1, 2, null, 1e308, 3, 4, 5, -2],
        },
        { name: "cpu_user", unit: "cores", t_ms: [100, 200, 300], value: [-1, "2", 1e-320] },
        { name: "memory", unit: "bytes", t_ms: [100], value: [9e15], min: [1], max: [1e300] },
        { name: "cpu_system", unit: "cores", t_ms: "no", value: {} },
        null,
        7,
        "x",
        { t_ms: [] },
    ];
    data.processes = [
        {
            id: 1,
            parent_id: 2,
            comm: evil,
            argv: evil + " " + odd,
            start_ms: 10,
            end_ms: 20,
            exit_code: 0,
        },
        {
            id: 2,
            parent_id: 1,
            comm: odd,
            argv: null,
            start_ms: 10,
            end_ms: 5,
            exit_code: 300,
            signal: null,
        },
        { id: 3, parent_id: 3, comm: "", argv: ["/x/" + evil], start_ms: -50, end_ms: null },
        {
            id: 3,
            parent_id: 99,
            comm: "dup",
            argv: [],
            start_ms: 1e300,
            end_ms: 1e301,
            signal: "KILL",
            cpu_ms: 1e300,
        },
        { id: null, parent_id: null },
        null,
        "p",
        [],
        { id: {}, exec: [null, { comm: evil }], argv: [{}], pid: "x", signal: -4 },
    ];
    for (let i = 0; i < 3000; i++) {
        data.processes.push({
            id: 1000 + i,
            parent_id: i === 0 ? null : 999 + i,
            pid: i,
            comm: "deep",
            argv: ["deep"],
            start_ms: i,
            end_ms: i + 1,
            exit_code: 0,
        });
    }
    data.output = {
        lines: [
            { t_ms: 3, stream: "stderr", text: evil },
            { t_ms: 2, stream: "stdout", text: odd },
            { t_ms: 4, stream: evil, text: "\u001b[38;5;9999mx\u001b[38;2;300;1mtrunc\u001b[" },
            { t_ms: 5, stream: "tty", text: "\\x00\\xff\\xfe", binary: true },
            { t_ms: "x", text: null },
            null,
            5,
            { t_ms: 6, stream: "stdout", text: "x".repeat(300000) },
            { t_ms: 7, stream: "stdout", text: "a\u2028b\u2029c\ud800" },
        ],
        omitted: { lines: 1e300, bytes: -1, note: evil },
    };
    data.events = [
        { t_ms: 100, kind: evil, text: evil },
        { t_ms: 200, end_ms: 100, kind: "user", text: odd },
        { t_ms: null, kind: null },
        null,
        4,
        { t_ms: 300, kind: "constructor", text: { a: 1 }, level: {} },
    ];
    return data;
}

export function large() {
    const data = build(42, 1650, {
        jobs: 16,
        points: 1200,
        flight: { name: "full build", id: "large", limits: { cpu_cores: 16, memory_bytes: null } },
    });
    const lines = data.output.lines;
    for (let i = 0; lines.length < 50000; i++) {
        const t = Math.round(data.flight.duration_ms * ((i * 0.618034) % 1) * 100) / 100;
        lines.push({
            t_ms: t,
            stream: i % 97 === 0 ? "stderr" : "stdout",
            text:
                "[" +
                i +
                "] \u001b[36mtrace\u001b[0m request " +
                i * 7919 +
                " handled in " +
                (i % 311) +
                " \u00b5s",
            partial: false,
            binary: false,
        });
    }
    lines.sort((a, b) => a.t_ms - b.t_ms);
    data.totals.output_lines = lines.length;
    data.totals.output_bytes = lines.reduce((total, line) => total + line.text.length + 1, 0);
    for (const one of data.series) {
        if (one.unit === "cores") {
            one.value = one.value.map((value) => value * 7.4);
        }
    }
    for (let i = 0; i < 14; i++) {
        data.series.push({
            name: "app_queue_depth",
            labels: { shard: String(i) },
            unit: "count",
            type: "gauge",
            t_ms: data.series[0].t_ms,
            value: data.series[0].t_ms.map((t, k) => Math.round(20 + 18 * Math.sin(k / 40 + i))),
        });
    }
    return data;
}

export function compare() {
    const a = build(7, 44);
    const b = build(8, 44, {
        speed: 0.72,
        flight: {
            name: "nightly build",
            id: "20250315-101502-91c0",
            started_wall_ms: 1742033702123,
        },
    });
    return { schema_version: 1, mode: "compare", a, b };
}

export const SAMPLES = { typical, failed, oom, tiny, empty, bare, hostile, large, compare };

export function writeSamples(templatePath, directory) {
    const template = readFileSync(templatePath, "utf8");
    mkdirSync(directory, { recursive: true });
    for (const [name, make] of Object.entries(SAMPLES)) {
        writeFileSync(join(directory, name + ".html"), embed(template, make()));
    }
    writeFileSync(
        join(directory, "damaged.html"),
        template.replace("@DATA@", '{"schema_version":1,"fli'),
    );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    if (process.argv.length !== 4) {
        process.stderr.write("usage: node samples.mjs report.html DIRECTORY\n");
        process.exit(2);
    }
    writeSamples(process.argv[2], process.argv[3]);
}
