// Where things go, as pure functions: which chart a series belongs to, ticks of the time axis, rows
// of the process chart.
import { humanise, plain } from "./format.js";

// A series joins the chart of the first family whose pattern and unit it has; others get a chart of
// their own name. `mean` families are rates over the interval that ends at the sample's time;
// `secondary` ones are shown on request.
const FAMILIES = [
    { key: "cpu", title: "CPU", pattern: /^cpu_/, unit: "cores", mean: true, fallback: "cores" },
    { key: "memory", title: "Memory", pattern: /^memory(_|$)/, unit: "bytes" },
    { key: "io", title: "Disk I/O", pattern: /^io_/, unit: "bytes_per_second", mean: true },
    { key: "tasks", title: "Processes", pattern: /^(processes|threads)$/, unit: "count" },
    {
        key: "command_cpu",
        title: "CPU by command",
        pattern: /^command_cpu$/,
        unit: "cores",
        mean: true,
    },
    {
        key: "thread_cpu",
        title: "CPU by thread name",
        pattern: /^thread_cpu$/,
        unit: "cores",
        mean: true,
    },
    { key: "net", title: "Network", pattern: /^net_/, unit: "bytes_per_second", mean: true },
    {
        key: "pressure",
        title: "Waiting for",
        pattern: /^pressure_/,
        unit: "percent",
        mean: true,
        secondary: true,
    },
    {
        key: "waiting",
        title: "Waiting for a processor, by thread name",
        pattern: /^(thread_wait|runqueue_wait)$/,
        unit: "cores",
        mean: true,
        secondary: true,
    },
    {
        key: "violations",
        title: "CPU budgets exceeded",
        pattern: /^budget_violations$/,
        unit: "per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "output",
        title: "Output",
        pattern: /^output(_|$)/,
        unit: "bytes_per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "faults",
        title: "Page faults",
        pattern: /^faults(_|$)/,
        unit: "per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "switches",
        title: "Context switches",
        pattern: /^switches(_|$)/,
        unit: "per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "command_memory",
        title: "Memory by command",
        pattern: /^command_memory$/,
        unit: "bytes",
        secondary: true,
    },
    {
        key: "calls",
        title: "Read and written by calls",
        pattern: /^calls_/,
        unit: "bytes_per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "lines",
        title: "Lines of output",
        pattern: /^output_lines$/,
        unit: "per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "started",
        title: "Processes started",
        pattern: /^processes_started$/,
        unit: "per_second",
        mean: true,
        secondary: true,
    },
    {
        key: "descriptors",
        title: "Open descriptors",
        pattern: /^descriptors$/,
        unit: "count",
        secondary: true,
    },
];
const PRESSURE_SHOWN = 10; // per cent of the time: from there on waiting explains something
export const LINES_MAX = 10;

const FAMILY_PREFIX =
    /^(cpu|memory|io|net|pressure|output_lines|output|faults|switches|calls|command_cpu|command_memory|thread_cpu|thread_wait|runqueue_wait|budget_violations|processes_started|descriptors)_?/;
const DEFAULT_LABELS = { memory: "used", switches: "all", waiting: "all" };

// The chart's title has the name already; a line is called by what sets it apart.
function lineLabel(series, family) {
    const base = family
        ? series.name
              .replace(FAMILY_PREFIX, "")
              .replace(/_/g, " ")
              .replace(/^cpu$/, "CPU") ||
          DEFAULT_LABELS[family.key] ||
          ""
        : "";
    // In a chart of ours the value of a label says it; elsewhere its name is needed.
    const labels =
        family && series.labels.length === 1
            ? series.labels[0][1]
            : series.labels.map(([key, value]) => key + "=" + value).join(", ");
    return plain([base, labels].filter((part) => part !== "").join(" ") || "value");
}

// Charts in the order in which they are shown: [{key, title, unit, mean, lines: [{label,
// series}]}].
export function assignCharts(allSeries) {
    const charts = new Map();
    for (const series of allSeries) {
        const family = FAMILIES.find(
            (one) => one.pattern.test(series.name) && one.unit === series.unit,
        );
        const key = family ? family.key : "other:" + series.name + ":" + series.unit;
        if (!charts.has(key)) {
            charts.set(key, {
                key,
                title: family
                    ? family.title
                    : humanise(series.name.replace(/^flight_|_total$/g, "") || "unnamed"),
                unit: series.unit,
                mean: family ? family.mean === true : /per_second$/.test(series.unit),
                family: family ? FAMILIES.indexOf(family) : FAMILIES.length,
                lines: [],
            });
        }
        charts.get(key).lines.push({ label: lineLabel(series, family), series });
    }
    const sorted = [...charts.values()].sort((a, b) => a.family - b.family);
    for (const chart of sorted) {
        const family = FAMILIES[chart.family];
        chart.secondary =
            family !== undefined &&
            family.secondary === true &&
            !(
                chart.key === "pressure" &&
                chart.lines.some((line) =>
                    line.series.value.some((value) => value >= PRESSURE_SHOWN),
                )
            );
        chart.stacked =
            chart.key === "cpu" &&
            chart.lines.length === 2 &&
            ["cpu_user", "cpu_system"].every((name) =>
                chart.lines.some((line) => line.series.name === name),
            ) &&
            sameTimes(chart.lines[0].series, chart.lines[1].series);
        if (chart.stacked) {
            chart.lines.sort((a) => (a.series.name === "cpu_user" ? -1 : 1));
        }
    }
    return sorted;
}

function sameTimes(a, b) {
    return a.t_ms.length === b.t_ms.length && a.t_ms.every((t, i) => t === b.t_ms[i]);
}

// The sample that speaks for time t: for rates the interval that contains it, for levels the last
// one taken. -1 where there is none.
export function sampleAt(t_ms, t, mean) {
    let low = 0;
    let high = t_ms.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (mean ? t_ms[middle] < t : t_ms[middle] <= t) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return mean ? (low < t_ms.length ? low : -1) : low - 1;
}

// First index whose key is greater than `value` in an array sorted by that key.
export function upperBound(array, value, key) {
    let low = 0;
    let high = array.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (key(array[middle]) <= value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const TIME_STEPS = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000,
    300000, 600000, 900000, 1800000, 3600000, 7200000, 10800000, 21600000, 43200000, 86400000,
];

export function timeTicks(t0, t1, countMax) {
    const wanted = (t1 - t0) / Math.max(countMax, 1);
    let step = TIME_STEPS.find((one) => one >= wanted);
    if (step === undefined || wanted < 0.5) {
        const unit = step === undefined ? 86400000 : 1;
        const power = Math.pow(10, Math.floor(Math.log10(wanted / unit)));
        step = unit * power * [1, 2, 5, 10].find((one) => unit * one * power >= wanted * 0.9999);
    }
    const ticks = [];
    for (
        let i = Math.ceil(t0 / step - 1e-9);
        i * step <= t1 + step * 1e-9 && ticks.length < 200;
        i++
    ) {
        ticks.push(i * step);
    }
    return { step, ticks };
}

// A round upper end for a value axis, and the steps below it.
export function valueAxis(max, unit, stepsMax) {
    const binary = unit === "bytes" || unit === "bytes_per_second";
    let scale = 1;
    let top = max > 0 ? max : 1;
    if (binary) {
        while (top >= 1000) {
            top /= 1024;
            scale *= 1024;
        }
    }
    const wanted = top / Math.max(stepsMax, 1);
    const power = Math.pow(10, Math.floor(Math.log10(wanted)));
    let step = power * [1, 2, 2.5, 5, 10].find((one) => one * power >= wanted * 0.9999);
    if (unit === "count" || (binary && scale === 1)) {
        step = Math.max(1, Math.ceil(step));
    }
    const steps = Math.max(1, Math.ceil(top / step - 1e-9));
    const splits = Array.from({ length: steps + 1 }, (unused, i) => i * step * scale);
    return { top: splits[splits.length - 1], splits };
}

// Rows of the tree: processes depth first, without what lies below a collapsed one. With a filter,
// matches and their ancestors stay; ancestors that do not match themselves are marked dim.
export function treeRows(processes, collapsed, matches) {
    const shown = matches ? new Set() : null;
    if (matches) {
        for (const process of processes) {
            if (matches(process)) {
                for (let at = process; at && !shown.has(at); at = at.parent) {
                    shown.add(at);
                }
            }
        }
    }
    const rows = [];
    let skipBelow = Infinity;
    for (const process of processes) {
        if (process.depth > skipBelow) {
            continue;
        }
        skipBelow = Infinity;
        if (shown && !shown.has(process)) {
            continue;
        }
        if (!matches && collapsed.has(process) && process.children.length > 0) {
            skipBelow = process.depth;
        }
        rows.push({
            process,
            folded: skipBelow !== Infinity,
            dim: shown !== null && !matches(process),
        });
    }
    return rows;
}

// Rows as lanes: each process takes the lowest lane that is free at its start, so that the height
// of the stack is the number of processes alive. gap_ms keeps neighbours apart.
export function laneRows(processes, end_ms, gap_ms) {
    const byStart = [...processes].sort((a, b) => a.start_ms - b.start_ms || a.index - b.index);
    const until = (process) => (process.end_ms === null ? end_ms : process.end_ms) + gap_ms;
    const busy = [...byStart].sort((a, b) => until(a) - until(b));
    const laneOf = new Map();
    const lanes = [];
    const free = []; // sorted, lowest lane last
    let released = 0;
    for (const process of byStart) {
        while (released < busy.length && until(busy[released]) <= process.start_ms) {
            const lane = laneOf.get(busy[released]);
            released++;
            if (lane !== undefined) {
                free.splice(
                    upperBound(free, -lane, (one) => -one),
                    0,
                    lane,
                );
            }
        }
        const lane = free.length > 0 ? free.pop() : lanes.push([]) - 1;
        laneOf.set(process, lane);
        lanes[lane].push(process);
    }
    return { lanes, laneOf };
}
