// Tables below the timeline. Rows that stand for a process select it in the process chart.
import { button, el } from "./dom.js";
import {
    NONE,
    clip,
    formatBytes,
    formatCount,
    formatDuration,
    formatPercent,
    humanise,
    plain,
} from "./format.js";
import { groupByCommand, processEnd, processSpan } from "./model.js";

const TOP = 10;

// columns: [{title, cell(item) -> text or node, numeric, share(item) 0..1 or undefined}]
export function table(caption, columns, items) {
    const head = el(
        "tr",
        {},
        columns.map((column) =>
            el("th", { scope: "col", class: column.numeric ? "num" : null }, column.title),
        ),
    );
    const rows = items.map((item) =>
        el(
            "tr",
            {},
            columns.map((column) => {
                const cell = el("td", { class: column.numeric ? "num" : null }, column.cell(item));
                if (column.share) {
                    const share = column.share(item);
                    if (share !== null && share > 0) {
                        const bar = el("span", { class: "share" });
                        bar.style.width = (Math.min(share, 1) * 100).toFixed(1) + "%";
                        cell.classList.add("has-share");
                        cell.append(bar);
                    }
                }
                return cell;
            }),
        ),
    );
    return el(
        "section",
        { class: "card" },
        el("h2", {}, caption),
        el(
            "div",
            { class: "scroll-x" },
            el("table", {}, el("thead", {}, head), el("tbody", {}, rows)),
        ),
    );
}

function processName(process, view) {
    return el(
        "span",
        { class: "process-name" },
        button(process.comm, {
            class: "link",
            title: "Show in the process chart",
            onclick: () => view.select(process, null),
        }),
        process.tail === "" ? null : el("span", { class: "muted" }, " " + clip(process.tail, 120)),
    );
}

function endCell(process) {
    const tone = { ok: "ok", failed: "failed", signal: "signal" }[process.status] || "unknown";
    return el(
        "span",
        { class: "end end-" + tone },
        processEnd(process).replace("still running at the end", "running"),
    );
}

// Processes by one measure, largest first.
function top(processes, measure) {
    return processes
        .filter((process) => process[measure] !== null && process[measure] > 0)
        .sort((a, b) => b[measure] - a[measure] || a.start_ms - b.start_ms)
        .slice(0, TOP);
}

export function processTables(model, view) {
    const name = { title: "Process", cell: (process) => processName(process, view) };
    const pid = {
        title: "Pid",
        numeric: true,
        cell: (process) => (process.pid === null ? NONE : String(process.pid)),
    };
    const end = { title: "End", cell: endCell };
    const lived = {
        title: "Lived",
        numeric: true,
        cell: (process) => formatDuration(processSpan(process, model.end_ms)),
    };
    const cards = [];
    const busiest = top(model.processes, "cpu_ms");
    if (busiest.length > 0) {
        const sum = model.processes.reduce((total, process) => total + (process.cpu_ms || 0), 0);
        cards.push(
            table(
                "Busiest processes",
                [
                    name,
                    pid,
                    {
                        title: "CPU",
                        numeric: true,
                        cell: (process) => formatDuration(process.cpu_ms),
                        share: (process) => process.cpu_ms / busiest[0].cpu_ms,
                    },
                    {
                        title: "Share",
                        numeric: true,
                        cell: (process) => formatPercent(process.cpu_ms / sum),
                    },
                    lived,
                    end,
                ],
                busiest,
            ),
        );
    }
    const biggest = top(model.processes, "memoryPeak");
    if (biggest.length > 0) {
        cards.push(
            table(
                "Biggest processes",
                [
                    name,
                    pid,
                    {
                        title: "Peak memory",
                        numeric: true,
                        cell: (process) => formatBytes(process.memoryPeak),
                        share: (process) => process.memoryPeak / biggest[0].memoryPeak,
                    },
                    lived,
                    end,
                ],
                biggest,
            ),
        );
    }
    const failed = model.processes.filter(
        (process) => process.status === "failed" || process.status === "signal",
    );
    if (failed.length > 0) {
        cards.push(
            table(
                "Failed processes" +
                    (failed.length > TOP
                        ? " (last " + TOP + " of " + formatCount(failed.length) + ")"
                        : ""),
                [
                    name,
                    pid,
                    {
                        title: "Ended at",
                        numeric: true,
                        cell: (process) =>
                            process.end_ms === null ? NONE : view.label(process.end_ms),
                    },
                    lived,
                    end,
                ],
                failed.sort((a, b) => (b.end_ms || 0) - (a.end_ms || 0)).slice(0, TOP),
            ),
        );
    }
    const groups = groupByCommand(model.processes);
    if (groups.length > 0 && model.processes.length > 3) {
        const most = Math.max(...groups.slice(0, TOP).map((group) => group.cpu_ms || 0), 1e-9);
        cards.push(
            table(
                "By command" +
                    (groups.length > TOP
                        ? " (" + TOP + " of " + formatCount(groups.length) + ")"
                        : ""),
                [
                    {
                        title: "Command",
                        cell: (group) => el("span", { class: "process-name" }, group.comm),
                    },
                    { title: "Runs", numeric: true, cell: (group) => formatCount(group.count) },
                    {
                        title: "Failed",
                        numeric: true,
                        cell: (group) =>
                            group.failed === 0
                                ? "0"
                                : el(
                                      "span",
                                      { class: "end end-failed" },
                                      formatCount(group.failed),
                                  ),
                    },
                    {
                        title: "CPU",
                        numeric: true,
                        cell: (group) => formatDuration(group.cpu_ms),
                        share: (group) => (group.cpu_ms || 0) / most,
                    },
                    {
                        title: "Largest",
                        numeric: true,
                        cell: (group) => formatBytes(group.memoryPeak),
                    },
                ],
                groups.slice(0, TOP),
            ),
        );
    }
    return cards;
}

export function totalText(key, value) {
    return /_ms$/.test(key)
        ? formatDuration(value)
        : /_bytes$/.test(key)
          ? formatBytes(value)
          : formatCount(value);
}

export function totalTitle(key) {
    return humanise(key.replace(/_(ms|bytes)$/, ""))
        .replace(/^Cpu/, "CPU")
        .replace(/^Io/, "I/O");
}

// What is known of the recording itself, with what it could not see: a reader must be able to tell
// "nothing happened" from "nobody was looking".
export function recorderCard(model, onSave) {
    const { flight } = model;
    const { recorder } = flight;
    const facts = [
        ["Recorder", recorder.version === "" ? NONE : plain(recorder.version)],
        [
            "Method",
            [recorder.rung, recorder.facilities.join(", ")]
                .filter((text) => text !== "")
                .map(plain)
                .join(": ") || NONE,
        ],
        ["Peak memory from", recorder.memorySource === "" ? NONE : plain(recorder.memorySource)],
        ["Interval", flight.interval_ms === null ? NONE : formatDuration(flight.interval_ms)],
        ["State", flight.state === "" ? NONE : plain(flight.state)],
        ["Flight", flight.id === "" ? NONE : plain(flight.id)],
        ["Sealed", flight.sealRoot === "" ? "" : "root " + plain(flight.sealRoot)],
        ["Kernel", plain(flight.kernel)],
        ["Trace", plain(flight.traceId)],
        ...flight.env.map(([name, value]) => ["$" + plain(name), clip(plain(value), 400)]),
    ].filter(([, value]) => value !== "");
    return el(
        "section",
        { class: "card" },
        el("h2", {}, "About this recording"),
        el(
            "dl",
            { class: "facts" },
            facts.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))),
        ),
        el("h3", {}, "What it cannot see"),
        recorder.cannotSee.length > 0
            ? el(
                  "ul",
                  {},
                  recorder.cannotSee.map((text) => el("li", {}, plain(text))),
              )
            : el("p", { class: "muted" }, "Nothing known to be missing."),
        recorder.notes.length > 0
            ? [
                  el("h3", {}, "Notes"),
                  el(
                      "ul",
                      {},
                      recorder.notes.map((text) => el("li", {}, plain(text))),
                  ),
              ]
            : null,
        el(
            "p",
            { class: "no-print" },
            button("Save the data of this page as JSON", { onclick: onSave }),
        ),
    );
}

export function totalsCard(model) {
    const entries = [...model.totals].filter(([key]) => key !== "schema_version");
    return entries.length === 0
        ? null
        : el(
              "section",
              { class: "card" },
              el("h2", {}, "All totals"),
              el(
                  "dl",
                  { class: "facts facts-wide" },
                  entries.map(([key, value]) =>
                      el(
                          "div",
                          {},
                          el("dt", {}, totalTitle(key)),
                          el("dd", {}, totalText(key, value)),
                      ),
                  ),
              ),
          );
}
