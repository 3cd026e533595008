import assert from "node:assert/strict";
import { test } from "node:test";
import { groupByCommand, processEnd, readModel, signalName } from "../src/js/model.js";
import { SAMPLES } from "./samples.mjs";

test("anything at all becomes a model", () => {
    for (const raw of [
        null,
        undefined,
        0,
        "x",
        [],
        {},
        { flight: [] },
        { series: {} },
        { processes: "p", output: 3, events: null, totals: [] },
    ]) {
        const model = readModel(raw);
        assert.equal(model.end_ms, 1);
        assert.equal(model.processes.length, 0);
        assert.equal(model.flight.command.length, 0);
    }
    for (const [name, make] of Object.entries(SAMPLES)) {
        assert.ok(readModel(make()).end_ms >= 1, name);
    }
});

test("every process is in the tree once, after its parent, cycles or not", () => {
    const raw = SAMPLES.hostile();
    const model = readModel(raw);
    const objects = raw.processes.filter(
        (one) => one !== null && typeof one === "object" && !Array.isArray(one),
    );
    assert.equal(model.processes.length, raw.processes.length);
    assert.ok(objects.length <= model.processes.length);
    assert.equal(new Set(model.processes).size, model.processes.length);
    const seen = new Set();
    for (const process of model.processes) {
        assert.ok(process.parent === null || seen.has(process.parent));
        assert.equal(process.depth, process.parent ? process.parent.depth + 1 : 0);
        seen.add(process);
    }
    assert.ok(Math.max(...model.processes.map((process) => process.depth)) >= 2999);
});

test("times end where the flight ends, damage does not stretch the axis", () => {
    const model = readModel(SAMPLES.hostile());
    assert.ok(model.end_ms <= 5000 * 1.5 + 1000);
    assert.equal(readModel({ flight: { duration_ms: 100 }, events: [{ t_ms: 103 }] }).end_ms, 103);
    assert.equal(readModel({ processes: [{ start_ms: 5, end_ms: 900 }] }).end_ms, 900);
});

test("series are ordered, of equal times the last counts, what is no number is a gap", () => {
    const [series] = readModel({
        series: [
            { name: "x", t_ms: [0, 1000, 500, 1000, "x", null], value: [1, 2, null, 7, 3, 4] },
        ],
    }).series;
    assert.deepEqual(series.t_ms, [0, 500, 1000]);
    assert.deepEqual(series.value, [1, null, 7]);
});

test("the end of the command in words", () => {
    const label = (outcome) => readModel({ outcome }).outcome;
    assert.deepEqual(
        [
            label({ kind: "exited", exit_code: 0 }).label,
            label({ kind: "exited", exit_code: 0 }).tone,
        ],
        ["Succeeded", "ok"],
    );
    assert.equal(label({ kind: "exited", exit_code: 3 }).label, "Failed with exit code 3");
    assert.equal(
        label({ kind: "signaled", signal: 11, core_dumped: true }).label,
        "Killed by SIGSEGV, core dumped",
    );
    assert.equal(label({ kind: "out of memory" }).label, "Out of memory");
    assert.equal(label({ kind: "timeout" }).label, "Timed out");
    assert.equal(label({ kind: "not found" }).label, "Command not found");
    assert.equal(label({ kind: "recorder lost" }).label, "Recorder was killed");
    assert.equal(label({ kind: "running" }).tone, "unknown");
    assert.equal(label({ kind: "constructor" }).label, "constructor");
    assert.equal(label(undefined).label, "End not recorded");
});

test("signals by number and by name", () => {
    assert.equal(signalName(9), "SIGKILL");
    assert.equal(signalName("SIGTERM"), "SIGTERM");
    assert.equal(signalName("KILL"), "SIGKILL");
    assert.equal(signalName(36), "SIGRTMIN+2");
    assert.equal(signalName(0), "");
    assert.equal(signalName(null), "");
});

test("a process ends as it was seen to end", () => {
    const end = (raw) => processEnd(readModel({ processes: [raw] }).processes[0]);
    assert.equal(end({ end_ms: 5, exit_code: 0 }), "exit 0");
    assert.equal(
        end({ end_ms: 5, exit_code: 137, signal: 9, oom_killed: true }),
        "SIGKILL, out of memory",
    );
    assert.equal(end({ end_ms: null }), "still running at the end");
    assert.equal(end({ end_ms: 5 }), "end seen, status not");
});

test("arguments come as an array or as one string", () => {
    const [a, b] = readModel({
        processes: [{ argv: ["cc", "-c", "a b.c"] }, { argv: "'my tool' --fast x" }],
    }).processes;
    assert.deepEqual([a.comm, a.args, a.tail], ["cc", "cc -c 'a b.c'", "-c 'a b.c'"]);
    assert.deepEqual([b.args, b.tail], ["'my tool' --fast x", "--fast x"]);
});

test("tags with and without value", () => {
    assert.deepEqual(readModel({ flight: { tags: ["a=b=c", "d", "", null] } }).flight.tags, [
        ["a", "b=c"],
        ["d", ""],
    ]);
});

test("commands are summed by name", () => {
    const processes = [
        { comm: "cc", cpu_ms: 5, end_ms: 1, exit_code: 1 },
        { comm: "cc", cpu_ms: 7, memory_peak_bytes: 9 },
        { comm: "ld", cpu_ms: 100 },
    ];
    const groups = groupByCommand(readModel({ processes }).processes);
    assert.deepEqual(
        groups.map((group) => [
            group.comm,
            group.count,
            group.failed,
            group.cpu_ms,
            group.memoryPeak,
        ]),
        [
            ["ld", 1, 0, 100, null],
            ["cc", 2, 1, 12, 9],
        ],
    );
});
