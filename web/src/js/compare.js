// Two flights beside each other: figures with their differences, charts on one time axis from each
// one's start, commands with their change.
import { el, choice, onFrame } from "./dom.js";
import {
    NONE,
    clip,
    formatBytes,
    formatCount,
    formatDuration,
    formatPercent,
    formatWall,
    humanise,
    plain,
    significant,
} from "./format.js";
import { assignCharts } from "./layout.js";
import { Chart } from "./charts.js";
import { Ruler } from "./strips.js";
import { Timeline } from "./timeline.js";
import { ShareView, View } from "./view.js";
import { badge, commandText, reason, themeSwitch } from "./header.js";
import { groupByCommand } from "./model.js";
import { table, totalText, totalTitle } from "./tables.js";

const COMMANDS_MAX = 15;
const SAME_BELOW = 0.02; // differences under two per cent are not worth a colour
const SMALL_BELOW = 0.005; // nor commands whose CPU changed by less than this share of all

function side(name, model) {
    const { flight, outcome } = model;
    const wall = formatWall(flight.startedWall_ms);
    return el(
        "section",
        { class: "card side side-" + name },
        el(
            "div",
            { class: "head-title" },
            el("span", { class: "side-letter" }, name.toUpperCase()),
            badge(outcome),
            flight.name === "" ? null : el("span", { class: "flight-name" }, plain(flight.name)),
        ),
        el("p", { class: "command" }, clip(commandText(flight), 600)),
        reason(outcome),
        el(
            "dl",
            { class: "meta" },
            [
                ["Started", wall.utc],
                ["Host", plain(flight.host)],
                ["Flight", plain(flight.id)],
            ]
                .filter(([, value]) => value !== "")
                .map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))),
        ),
    );
}

// [title, a, b, format] for every figure that at least one side has.
function figures(a, b) {
    const rows = [["Duration", a.flight.duration_ms, b.flight.duration_ms, formatDuration]];
    const cpu = (model) =>
        model.totals.has("cpu_user_ms") || model.totals.has("cpu_system_ms")
            ? (model.totals.get("cpu_user_ms") || 0) + (model.totals.get("cpu_system_ms") || 0)
            : null;
    const cores = (model) =>
        cpu(model) !== null && model.flight.duration_ms
            ? cpu(model) / model.flight.duration_ms
            : null;
    rows.push(["CPU time", cpu(a), cpu(b), formatDuration]);
    rows.push([
        "Cores in use on average",
        cores(a),
        cores(b),
        (value) => (value === null ? NONE : significant(value)),
    ]);
    for (const key of new Set([...a.totals.keys(), ...b.totals.keys()])) {
        const get = (model) => (model.totals.has(key) ? model.totals.get(key) : null);
        rows.push([
            totalTitle(key),
            get(a),
            get(b),
            (value) => (value === null ? NONE : totalText(key, value)),
        ]);
    }
    return rows.filter(([, x, y]) => x !== null || y !== null);
}

export function change(a, b) {
    if (a === null || b === null) {
        return { text: NONE, ratio: null };
    }
    if (a === b) {
        return { text: "same", ratio: 0 };
    }
    if (a === 0) {
        return { text: "new", ratio: Infinity };
    }
    const ratio = (b - a) / Math.abs(a);
    const sign = ratio > 0 ? "+" : "\u2212";
    return {
        text:
            Math.abs(ratio) >= 9.995
                ? "\u00d7" + significant(b / a)
                : sign + formatPercent(Math.abs(ratio)),
        ratio,
    };
}

function changeCell(a, b, small) {
    const { text, ratio } = change(a, b);
    const tone =
        small || ratio === null || Math.abs(ratio) < SAME_BELOW
            ? "same"
            : ratio > 0
              ? "more"
              : "less";
    const arrow = { more: "\u25b2 ", less: "\u25bc ", same: "" }[tone];
    return el("span", { class: "change change-" + tone }, arrow + text);
}

function signed(format, a, b) {
    if (a === null || b === null) {
        return NONE;
    }
    return a === b ? format(0) : (b > a ? "+" : "\u2212") + format(Math.abs(b - a));
}

function deltaTable(a, b) {
    return table(
        "Figures",
        [
            { title: "", cell: ([title]) => title },
            { title: "A", numeric: true, cell: ([, x, , format]) => format(x) },
            { title: "B", numeric: true, cell: ([, , y, format]) => format(y) },
            {
                title: "Difference",
                numeric: true,
                cell: ([, x, y, format]) => signed(format, x, y),
            },
            { title: "Change", numeric: true, cell: ([, x, y]) => changeCell(x, y) },
        ],
        figures(a, b),
    );
}

function commandTable(a, b) {
    const groups = new Map();
    [a, b].forEach((model, at) => {
        for (const group of groupByCommand(model.processes)) {
            if (!groups.has(group.comm)) {
                groups.set(group.comm, { comm: group.comm, sides: [null, null] });
            }
            groups.get(group.comm).sides[at] = group;
        }
    });
    const of = (group, at, key) => (group.sides[at] === null ? null : group.sides[at][key]);
    const weight = (group) =>
        Math.abs((of(group, 1, "cpu_ms") || 0) - (of(group, 0, "cpu_ms") || 0));
    const rows = [...groups.values()].sort(
        (x, y) => weight(y) - weight(x) || (x.comm < y.comm ? -1 : 1),
    );
    const total = rows.reduce((all, group) => all + (of(group, 0, "cpu_ms") || 0), 0);
    const count = (at) => (group) => formatCount(of(group, at, "count") || 0);
    const cpu = (at) => (group) => formatDuration(of(group, at, "cpu_ms"));
    const memory = (at) => (group) => formatBytes(of(group, at, "memoryPeak"));
    return rows.length === 0
        ? null
        : table(
              "Commands, largest difference in CPU first" +
                  (rows.length > COMMANDS_MAX
                      ? " (" + COMMANDS_MAX + " of " + formatCount(rows.length) + ")"
                      : ""),
              [
                  {
                      title: "Command",
                      cell: (group) => el("span", { class: "process-name" }, group.comm),
                  },
                  { title: "Runs A", numeric: true, cell: count(0) },
                  { title: "Runs B", numeric: true, cell: count(1) },
                  { title: "CPU A", numeric: true, cell: cpu(0) },
                  { title: "CPU B", numeric: true, cell: cpu(1) },
                  {
                      title: "Change",
                      numeric: true,
                      cell: (group) =>
                          changeCell(
                              of(group, 0, "cpu_ms"),
                              of(group, 1, "cpu_ms"),
                              weight(group) < total * SMALL_BELOW,
                          ),
                  },
                  { title: "Largest A", numeric: true, cell: memory(0) },
                  { title: "Largest B", numeric: true, cell: memory(1) },
              ],
              rows.slice(0, COMMANDS_MAX),
          );
}

// A stacked chart compares by its total.
function totalSeries(chart) {
    if (!chart.stacked) {
        return null;
    }
    const [first, second] = chart.lines.map((line) => line.series);
    return {
        ...first,
        min: null,
        max: null,
        value: first.value.map((value, i) =>
            value === null || second.value[i] === null ? null : value + second.value[i],
        ),
    };
}

function scaled(series, factor) {
    return factor === 1 ? series : { ...series, t_ms: series.t_ms.map((t) => t * factor) };
}

// Charts with the lines of both sides; `factors` stretch each side's time. Lines that both sides
// have under one name share a chart of their own when the chart has more than one.
function pairCharts(a, b, factors) {
    const pairs = new Map();
    [a, b].forEach((model, at) => {
        for (const chart of assignCharts(model.series)) {
            const total = totalSeries(chart);
            const lines = total ? [{ label: "", series: total }] : chart.lines;
            for (const line of lines) {
                const key = chart.key + "/" + line.label;
                if (!pairs.has(key)) {
                    const title =
                        lines.length === 1
                            ? chart.title
                            : chart.key === "tasks"
                              ? line.label
                              : chart.title + ": " + line.label;
                    pairs.set(key, {
                        ...chart,
                        key,
                        title: humanise(title).replace(/^Cpu/, "CPU"),
                        stacked: false,
                        lines: [],
                    });
                }
                pairs.get(key).lines.push({
                    label: at === 0 ? "A" : "B",
                    color: at === 0 ? "side-a" : "side-b",
                    dash: at === 0 ? [5, 3] : undefined,
                    series: { ...scaled(line.series, factors[at]), min: null, max: null },
                });
            }
        }
    });
    return [...pairs.values()].sort((x, y) => x.family - y.family);
}

function buildTimeline(a, b, aligned) {
    const factors = aligned ? [100 / a.end_ms, 100 / b.end_ms] : [1, 1];
    const view = aligned ? new ShareView() : new View(Math.max(a.end_ms, b.end_ms));
    const timeline = new Timeline(view);
    timeline.addRuler(new Ruler(view));
    const interval = (model, factor) =>
        model.flight.interval_ms === null ? null : model.flight.interval_ms * factor;
    timeline.addCharts(
        pairCharts(a, b, factors).map(
            (chart) =>
                new Chart(chart, chart.lines, {
                    view,
                    interval_ms: interval(a, factors[0]) || interval(b, factors[1]),
                }),
        ),
        () => 100,
    );
    return timeline;
}

export function comparePage(app, a, b) {
    document.title = clip("Compare: " + commandText(a.flight) + " / " + commandText(b.flight), 100);
    const host = el("div", { class: "timeline-host" });
    const show = (aligned) => {
        const timeline = buildTimeline(a, b, aligned);
        timeline.fitPaper();
        host.replaceChildren(timeline.node);
        timeline.start();
    };
    const align = choice(
        "Alignment",
        [
            ["start", "Same start"],
            ["length", "Stretched to the same length"],
        ],
        "start",
        (value) => onFrame(() => show(value === "length")),
    );
    app.replaceChildren(
        el(
            "header",
            { class: "head" },
            el(
                "div",
                { class: "head-top" },
                el(
                    "span",
                    { class: "brand" },
                    "Mayfly",
                    el("span", { class: "muted" }, " flights compared"),
                ),
                el("span", { class: "no-print" }, themeSwitch()),
            ),
            el("div", { class: "sides" }, side("a", a), side("b", b)),
        ),
        el(
            "main",
            { class: "compare" },
            el("div", { class: "tables" }, deltaTable(a, b), commandTable(a, b)),
            el(
                "div",
                { class: "bar align no-print" },
                el("span", { class: "muted" }, "Time axis"),
                align,
            ),
            host,
        ),
    );
    show(false);
}
