// The flight's JSON, checked and completed. The page trusts nothing in it: any field may be missing
// or of the wrong type, numbers may be absurd, processes may name themselves as their parents. What
// leaves this file has the documented shape, times within the axis, and every process in exactly
// one tree.
import { clip, formatBytes, formatDuration, plain, shellJoin } from "./format.js";

const TIME_MAX_MS = 1e12; // 31 years: beyond it a time is damage, not data
const SIGNALS = [
    "",
    "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "USR2",
    "PIPE",
    "ALRM",
    "TERM",
    "STKFLT",
    "CHLD",
    "CONT",
    "STOP",
    "TSTP",
    "TTIN",
    "TTOU",
    "URG",
    "XCPU",
    "XFSZ",
    "VTALRM",
    "PROF",
    "WINCH",
    "IO",
    "PWR",
    "SYS",
];

export function number(value, fallback = null) {
    return typeof value === "number" && Number.isFinite(value) ? value : fallback;
}

function positive(value) {
    const checked = number(value);
    return checked !== null && checked >= 0 ? checked : null;
}

function time(value) {
    const checked = number(value);
    return checked === null ? null : Math.min(Math.max(checked, 0), TIME_MAX_MS);
}

export function string(value) {
    return typeof value === "string"
        ? value
        : typeof value === "number" || typeof value === "boolean"
          ? String(value)
          : "";
}

function list(value) {
    return Array.isArray(value) ? value : [];
}

function object(value) {
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

function strings(value) {
    return list(value).map(string);
}

function pairs(value) {
    return Object.entries(object(value)).map(([key, text]) => [key, string(text)]);
}

// Tags come as "key=value" or "key".
function readTags(value) {
    return strings(value)
        .filter((tag) => tag !== "")
        .map((tag) => {
            const cut = tag.indexOf("=");
            return cut <= 0 ? [tag, ""] : [tag.slice(0, cut), tag.slice(cut + 1)];
        });
}

// A command line is an array of arguments, or one string where the recorder only has it joined.
function commandLine(value) {
    return typeof value === "string" ? value : shellJoin(strings(value));
}

export function signalName(value) {
    const at = number(value);
    if (at !== null && at !== 0) {
        return SIGNALS[at]
            ? "SIG" + SIGNALS[at]
            : at >= 34 && at <= 64
              ? "SIGRTMIN+" + (at - 34)
              : "signal " + at;
    }
    const text = string(value);
    return text === "" || text === "0" ? "" : plain(/^SIG/.test(text) ? text : "SIG" + text);
}

function readFlight(raw) {
    const flight = object(raw.flight);
    const recorder = object(flight.recorder);
    const limits = object(flight.limits);
    return {
        id: string(flight.id),
        name: string(flight.name),
        command: strings(flight.command),
        cwd: string(flight.cwd),
        host: string(flight.host),
        kernel: string(flight.kernel),
        traceId: string(flight.trace_id),
        tags: readTags(flight.tags),
        env: pairs(flight.env),
        startedWall_ms: number(flight.started_wall_ms),
        duration_ms: time(flight.duration_ms),
        interval_ms: positive(flight.interval_ms),
        state: string(flight.state),
        sealRoot: string(object(flight.seal).root),
        limits: {
            cpu_cores: positive(limits.cpu_cores),
            memory_bytes: positive(limits.memory_bytes),
        },
        recorder: {
            version: string(recorder.version),
            rung: string(recorder.rung),
            facilities: strings(recorder.facilities),
            memorySource: string(recorder.memory_peak_source),
            cannotSee: strings(recorder.cannot_see),
            notes: strings(recorder.notes),
        },
    };
}

// tone decides the colour, label the words of the badge. Colour never stands alone.
function readOutcome(raw) {
    const outcome = object(raw.outcome);
    const kind = string(outcome.kind);
    const exitCode = number(outcome.exit_code);
    const signal = signalName(outcome.signal);
    const table = {
        exited:
            exitCode === 0
                ? ["ok", "Succeeded"]
                : ["failed", exitCode === null ? "Exited" : "Failed with exit code " + exitCode],
        signaled: [
            "killed",
            "Killed by " +
                (signal || "a signal") +
                (outcome.core_dumped === true ? ", core dumped" : ""),
        ],
        "out of memory": ["killed", "Out of memory"],
        timeout: ["killed", "Timed out"],
        "not found": ["failed", "Command not found"],
        "not executable": ["failed", "Not executable"],
        "recorder lost": ["unknown", "Recorder was killed"],
        running: ["unknown", "Still running"],
        "": ["unknown", "End not recorded"],
    };
    const [tone, label] = Object.hasOwn(table, kind)
        ? table[kind]
        : ["unknown", clip(plain(kind), 40)];
    return {
        kind,
        exitCode,
        signal,
        tone,
        label,
        text: plain(string(outcome.text)),
        evidence: strings(outcome.evidence).map(plain),
    };
}

// Values are null or finite; times strictly increase (of equal times the last wins).
function readSeries(raw) {
    const t_ms = [];
    const value = [];
    const extremes = { min: [], max: [] };
    const times = list(raw.t_ms);
    const source = { value: list(raw.value), min: list(raw.min), max: list(raw.max) };
    const order = times.map((unused, at) => at).filter((at) => number(times[at]) !== null);
    if (order.some((at, i) => i > 0 && times[at] < times[order[i - 1]])) {
        order.sort((a, b) => times[a] - times[b]);
    }
    for (const at of order) {
        const t = time(times[at]);
        if (t_ms.length > 0 && t_ms[t_ms.length - 1] === t) {
            for (const column of [t_ms, value, extremes.min, extremes.max]) {
                column.pop();
            }
        }
        t_ms.push(t);
        value.push(number(source.value[at]));
        extremes.min.push(number(source.min[at], number(source.value[at])));
        extremes.max.push(number(source.max[at], number(source.value[at])));
    }
    const hasBand = source.min.length > 0 && source.max.length > 0;
    return {
        name: string(raw.name),
        labels: pairs(raw.labels),
        unit: string(raw.unit),
        type: string(raw.type),
        t_ms,
        value,
        min: hasBand ? extremes.min : null,
        max: source.max.length > 0 ? extremes.max : null,
    };
}

function readProcess(raw, index) {
    const start = time(raw.start_ms) || 0;
    const end = time(raw.end_ms);
    const comm = string(raw.comm);
    const args = commandLine(raw.argv);
    const exec = list(raw.exec)
        .map(object)
        .map((step) => ({
            t_ms: time(step.t_ms) || 0,
            comm: plain(string(step.comm)),
            args: commandLine(step.argv),
        }));
    const exitCode = number(raw.exit_code);
    const signal = signalName(raw.signal);
    return {
        index,
        id: raw.id === undefined || raw.id === null ? "#" + index : string(raw.id),
        parentId:
            raw.parent_id === undefined || raw.parent_id === null ? null : string(raw.parent_id),
        pid: number(raw.pid),
        comm: plain(comm || args.split(" ")[0].split("/").pop() || "?"),
        args,
        tail: plain(args.replace(/^(?:'[^']*'|\S+)\s*/, "")),
        exec,
        start_ms: start,
        end_ms: end === null ? null : Math.max(end, start),
        exitCode,
        signal,
        coreDumped: raw.core_dumped === true,
        oomKilled: raw.oom_killed === true,
        startExact: raw.start_exact !== false,
        totalsExact: raw.totals_exact !== false,
        status:
            signal !== ""
                ? "signal"
                : exitCode !== null
                  ? exitCode === 0
                      ? "ok"
                      : "failed"
                  : end === null
                    ? "running"
                    : "unseen",
        cpu_ms: positive(raw.cpu_ms),
        memoryPeak: positive(raw.memory_peak_bytes),
        ioRead: positive(raw.io_read_bytes),
        ioWrite: positive(raw.io_write_bytes),
        threads: positive(raw.threads),
        parent: null,
        children: [],
        depth: 0,
    };
}

// Links parents and children and returns the processes depth first, by start. A process whose chain
// of parents does not end (a cycle) becomes a root of its own.
function linkProcesses(processes) {
    const byId = new Map();
    for (const process of processes) {
        if (!byId.has(process.id)) {
            byId.set(process.id, process);
        }
    }
    const state = new Map(); // process -> 1 while its chain is walked, 2 when known to end
    for (const process of processes) {
        const chain = [];
        let at = process;
        while (at && !state.has(at)) {
            state.set(at, 1);
            chain.push(at);
            const parent = at.parentId === null ? null : byId.get(at.parentId) || null;
            at.parent = parent !== null && state.get(parent) !== 1 && parent !== at ? parent : null;
            at = at.parent;
        }
        for (const done of chain) {
            state.set(done, 2);
        }
    }
    const roots = [];
    for (const process of processes) {
        (process.parent ? process.parent.children : roots).push(process);
    }
    const byStart = (a, b) => a.start_ms - b.start_ms || a.index - b.index;
    const ordered = [];
    const stack = roots.sort(byStart).reverse();
    while (stack.length > 0) {
        const process = stack.pop();
        process.depth = process.parent ? process.parent.depth + 1 : 0;
        ordered.push(process);
        process.children.sort(byStart);
        for (let i = process.children.length - 1; i >= 0; i--) {
            stack.push(process.children[i]);
        }
    }
    return { ordered, byId };
}

function readOutput(raw) {
    const output = object(raw.output);
    const lines = list(output.lines)
        .map(object)
        .map((line, index) => ({
            index,
            t_ms: time(line.t_ms) || 0,
            stream: line.stream === "stderr" ? "err" : line.stream === "tty" ? "tty" : "out",
            text: string(line.text),
            partial: line.partial === true,
            binary: line.binary === true,
        }));
    if (lines.some((line, i) => i > 0 && line.t_ms < lines[i - 1].t_ms)) {
        lines.sort((a, b) => a.t_ms - b.t_ms || a.index - b.index);
    }
    const omitted = object(output.omitted);
    return {
        lines,
        omitted: {
            lines: positive(omitted.lines) || 0,
            bytes: positive(omitted.bytes) || 0,
            note: plain(string(omitted.note)),
        },
    };
}

function readEvent(raw, index) {
    const kind = string(raw.kind) || "event";
    const isProcess = /^process\./.test(kind);
    const t = time(raw.t_ms) || 0;
    const end = time(raw.end_ms);
    const level = string(raw.level);
    return {
        index,
        kind: plain(kind),
        t_ms: t,
        end_ms: end === null ? null : Math.max(end, t),
        text: plain(string(raw.text)),
        pid: number(raw.pid),
        lifecycle: isProcess,
        tone:
            level === "error" || /^(oom|kill|timeout|signal|cpu\.budget)$/.test(kind)
                ? "signal"
                : level === "warning" || /^(hang|lost|stopped|output\..*)$/.test(kind)
                  ? "failed"
                  : "accent",
    };
}

// The end of the axis. Late output and samples may lie a little behind the end of the flight; what
// lies far behind it is damage, and must not squeeze the rest into a pixel.
function lastTime(flight, series, processes, lines, events) {
    let end = flight.duration_ms || 0;
    const cap = flight.duration_ms === null ? TIME_MAX_MS : flight.duration_ms * 1.5 + 1000;
    const grow = (value) => {
        if (value !== null && value > end && value <= cap) {
            end = value;
        }
    };
    for (const one of series) {
        one.t_ms.forEach(grow);
    }
    for (const process of processes) {
        grow(process.start_ms);
        grow(process.end_ms);
    }
    for (const line of lines) {
        grow(line.t_ms);
    }
    for (const event of events) {
        grow(event.t_ms);
        grow(event.end_ms);
    }
    return Math.max(end, 1);
}

export function readModel(raw) {
    const data = object(raw);
    const flight = readFlight(data);
    const series = list(data.series)
        .map(object)
        .map(readSeries)
        .filter((one) => one.t_ms.length > 0);
    const linked = linkProcesses(list(data.processes).map(object).map(readProcess));
    const output = readOutput(data);
    const events = list(data.events)
        .map(object)
        .map(readEvent)
        .sort((a, b) => a.t_ms - b.t_ms || a.index - b.index);
    const totals = new Map();
    for (const [key, value] of Object.entries(object(data.totals))) {
        if (number(value) !== null) {
            totals.set(key, value);
        }
    }
    return {
        schemaVersion: number(data.schema_version),
        flight,
        outcome: readOutcome(data),
        totals,
        series,
        processes: linked.ordered,
        processById: linked.byId,
        output,
        events,
        end_ms: lastTime(flight, series, linked.ordered, output.lines, events),
    };
}

// What a process did, in words.
export function processEnd(process) {
    switch (process.status) {
        case "ok":
            return "exit 0";
        case "failed":
            return "exit " + process.exitCode;
        case "signal":
            return (
                process.signal +
                (process.oomKilled ? ", out of memory" : "") +
                (process.coreDumped ? ", core dumped" : "")
            );
        case "running":
            return "still running at the end";
        default:
            return "end seen, status not";
    }
}

export function processSpan(process, end_ms) {
    return (process.end_ms === null ? end_ms : process.end_ms) - process.start_ms;
}

// Processes by command name, for the table that tells what a build spends its time on.
export function groupByCommand(processes) {
    const groups = new Map();
    for (const process of processes) {
        let group = groups.get(process.comm);
        if (!group) {
            group = { comm: process.comm, count: 0, failed: 0, cpu_ms: null, memoryPeak: null };
            groups.set(process.comm, group);
        }
        group.count++;
        group.failed += process.status === "failed" || process.status === "signal" ? 1 : 0;
        if (process.cpu_ms !== null) {
            group.cpu_ms = (group.cpu_ms || 0) + process.cpu_ms;
        }
        if (process.memoryPeak !== null) {
            group.memoryPeak = Math.max(group.memoryPeak || 0, process.memoryPeak);
        }
    }
    return [...groups.values()].sort(
        (a, b) =>
            (b.cpu_ms || 0) - (a.cpu_ms || 0) || b.count - a.count || (a.comm < b.comm ? -1 : 1),
    );
}

// One line for a title, an announcement or a table.
export function describeProcess(process, end_ms) {
    const parts = [process.comm];
    if (process.pid !== null) {
        parts.push("pid " + process.pid);
    }
    parts.push(processEnd(process), formatDuration(processSpan(process, end_ms)));
    if (process.cpu_ms !== null) {
        parts.push("CPU " + formatDuration(process.cpu_ms));
    }
    if (process.memoryPeak !== null) {
        parts.push("peak " + formatBytes(process.memoryPeak));
    }
    return clip(parts.join(", "), 300);
}
