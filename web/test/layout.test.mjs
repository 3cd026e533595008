import assert from "node:assert/strict";
import { test } from "node:test";
import {
    assignCharts,
    laneRows,
    sampleAt,
    timeTicks,
    treeRows,
    upperBound,
    valueAxis,
} from "../src/js/layout.js";
import { findAll, splitMatches } from "../src/js/log.js";
import { change } from "../src/js/compare.js";
import { readModel } from "../src/js/model.js";
import { View } from "../src/js/view.js";

const series = (name, unit, more = {}) => ({
    name,
    unit,
    labels: [],
    type: "gauge",
    t_ms: [1, 2],
    value: [1, 2],
    min: null,
    max: null,
    ...more,
});

test("series find their charts by name and unit", () => {
    const charts = assignCharts([
        series("io_read", "bytes_per_second"),
        series("queue", "count", { labels: [["shard", "1"]] }),
        series("queue", "count", { labels: [["shard", "2"]] }),
        series("cpu_system", "cores"),
        series("cpu_user", "cores"),
        series("cpu_temperature", "celsius"),
        series("memory_used", "bytes"),
    ]);
    assert.deepEqual(
        charts.map((chart) => chart.title),
        ["CPU", "Memory", "Disk I/O", "Queue", "Cpu temperature"],
    );
    assert.deepEqual(
        charts[0].lines.map((line) => line.label),
        ["user", "system"],
    );
    assert.equal(charts[0].stacked, true);
    assert.deepEqual(
        charts[3].lines.map((line) => line.label),
        ["shard=1", "shard=2"],
    );
    assert.equal(
        assignCharts([
            series("cpu_user", "cores"),
            series("cpu_system", "cores", { t_ms: [1, 3] }),
        ])[0].stacked,
        false,
    );
});

test("lines of a chart by command are called by the command", () => {
    const charts = assignCharts([
        series("command_cpu", "cores", { labels: [["name", "cc1"]] }),
        series("faults", "per_second", { labels: [["kind", "minor"]] }),
    ]);
    assert.deepEqual(
        charts.map((chart) => [chart.title, chart.lines[0].label, chart.secondary]),
        [
            ["CPU by command", "cc1", false],
            ["Page faults", "minor", true],
        ],
    );
});

test("charts beyond the first are shown on request, waiting also when there was much of it", () => {
    const secondary = (value) =>
        assignCharts([
            series("faults_minor", "per_second"),
            series("pressure_cpu", "percent", { value: [0, value] }),
            series("mine", "count"),
        ]).map((chart) => chart.title + (chart.secondary ? "" : "!"));
    assert.deepEqual(secondary(9), ["Waiting for", "Page faults", "Mine!"]);
    assert.deepEqual(secondary(10), ["Waiting for!", "Page faults", "Mine!"]);
});

test("a rate is told by the interval around the time, a level by the last sample", () => {
    const t = [100, 200, 300];
    assert.deepEqual(
        [50, 100, 101, 300, 301].map((x) => sampleAt(t, x, true)),
        [0, 0, 1, 2, -1],
    );
    assert.deepEqual(
        [50, 100, 199, 999].map((x) => sampleAt(t, x, false)),
        [-1, 0, 0, 2],
    );
});

test("ticks are round, few and inside, at any zoom", () => {
    for (const span of [1e-5, 0.003, 0.7, 1, 9, 45, 1234, 60000, 3.6e6, 9e7, 1e12]) {
        for (const start of [0, span / 3, span * 1000]) {
            const { step, ticks } = timeTicks(start, start + span, 8);
            assert.ok(ticks.length >= 1 && ticks.length <= 11, span + " " + ticks.length);
            assert.ok(
                ticks.every(
                    (tick) => tick >= start - step * 1e-6 && tick <= start + span + step * 1e-6,
                ),
            );
        }
    }
});

test("value axes end above the maximum", () => {
    for (const unit of ["bytes", "count", "cores"]) {
        for (const max of [0, 1e-9, 0.4, 1, 3, 999, 1000, 123456, 5e11, 1e300]) {
            const { top, splits } = valueAxis(max, unit, 3);
            assert.ok(
                top >= max * 0.999 && splits.length <= 5 && splits[0] === 0,
                unit + " " + max + " " + splits,
            );
        }
    }
    assert.deepEqual(
        valueAxis(300 * 1048576, "bytes", 3).splits.map((value) => value / 1048576),
        [0, 100, 200, 300],
    );
    assert.deepEqual(valueAxis(1, "count", 3).splits, [0, 1]);
});

test("lanes never overlap and are as few as processes at a time", () => {
    let state = 1;
    const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
    const processes = Array.from({ length: 2000 }, (unused, index) => {
        const start = next() * 1000;
        return { index, start_ms: start, end_ms: next() < 0.02 ? null : start + next() * 20 };
    });
    const end = 1100;
    const { lanes, laneOf } = laneRows(processes, end, 0.01);
    assert.equal(
        lanes.reduce((sum, lane) => sum + lane.length, 0),
        processes.length,
    );
    assert.equal(laneOf.size, processes.length);
    for (const lane of lanes) {
        for (let i = 1; i < lane.length; i++) {
            assert.ok(lane[i].start_ms >= (lane[i - 1].end_ms === null ? end : lane[i - 1].end_ms));
        }
    }
    const edges = processes
        .flatMap((one) => [
            [one.start_ms, 1],
            [(one.end_ms === null ? end : one.end_ms) + 0.01, -1],
        ])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let alive = 0;
    let most = 0;
    for (const [, step] of edges) {
        alive += step;
        most = Math.max(most, alive);
    }
    assert.equal(lanes.length, most);
});

test("the tree folds and filters", () => {
    const { processes } = readModel({
        processes: [
            { id: 1, comm: "make" },
            { id: 2, parent_id: 1, comm: "cc" },
            { id: 3, parent_id: 2, comm: "as" },
            { id: 4, comm: "top" },
        ],
    });
    const names = (rows) =>
        rows.map((row) => row.process.comm + (row.folded ? "+" : "") + (row.dim ? "?" : ""));
    assert.deepEqual(names(treeRows(processes, new Set(), null)), ["make", "cc", "as", "top"]);
    assert.deepEqual(names(treeRows(processes, new Set([processes[0]]), null)), ["make+", "top"]);
    assert.deepEqual(
        names(treeRows(processes, new Set([processes[0]]), (process) => process.comm === "as")),
        ["make?", "cc?", "as"],
    );
    assert.deepEqual(names(treeRows(processes, new Set([processes[1]]), null)), [
        "make",
        "cc+",
        "top",
    ]);
});

test("matches are marked across runs", () => {
    const runs = [
        { text: "ab", style: 1 },
        { text: "cdab", style: 2 },
    ];
    const marked = splitMatches(runs, findAll("abcdab", "bc")).map(
        (run) => run.text + ":" + run.style + (run.match ? "!" : ""),
    );
    assert.deepEqual(marked, ["a:1", "b:1!", "c:2!", "dab:2"]);
    assert.deepEqual(findAll("aaa", "a"), [
        [0, 1],
        [1, 2],
        [2, 3],
    ]);
    assert.deepEqual(
        splitMatches(runs, []).map((run) => run.text),
        ["ab", "cdab"],
    );
});

test("the view stays within the flight", () => {
    const view = new View(1000);
    view.setRange(-50, 100);
    assert.deepEqual([view.t0, view.t1], [0, 150]);
    view.zoom(0.5, 100);
    assert.deepEqual([view.t0, view.t1], [50, 125]);
    view.pan(-5);
    assert.deepEqual([view.t0, view.t1], [0, 75]);
    view.setRange(500, 500);
    assert.ok(view.t1 - view.t0 >= view.spanMin * 0.999 && view.t0 <= 500 && view.t1 >= 500);
    view.zoom(1e9, null);
    assert.deepEqual([view.t0, view.t1, view.zoomed], [0, 1000, false]);
});

test("the pinned cursor does not follow the pointer", () => {
    const view = new View(1000);
    view.hover(10, null);
    view.pin(20, null);
    view.hover(30, null);
    assert.equal(view.cursor, 20);
    view.pin(null, null);
    assert.equal(view.cursor, null);
});

test("binary search", () => {
    const times = [1, 2, 2, 5].map((t) => ({ t }));
    assert.deepEqual(
        [0, 1, 2, 4, 9].map((t) => upperBound(times, t, (one) => one.t)),
        [0, 1, 3, 3, 4],
    );
});

test("changes in words", () => {
    assert.equal(change(100, 126).text, "+26\u00a0%");
    assert.equal(change(100, 98.5).text, "\u22121.5\u00a0%");
    assert.equal(change(1, 20).text, "\u00d720");
    assert.equal(change(0, 5).text, "new");
    assert.equal(change(3, 3).text, "same");
    assert.equal(change(null, 3).text, "\u2013");
});
