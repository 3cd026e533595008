// The top of the page: what ran, how it ended, what it cost.
import { choice, el } from "./dom.js";
import {
    NONE,
    clip,
    formatBytes,
    formatCount,
    formatDuration,
    formatPercent,
    formatWall,
    plain,
    plural,
    shellJoin,
    significant,
} from "./format.js";
import { theme } from "./theme.js";

const MARKS = { ok: "\u2713", failed: "\u2715", killed: "\u2715", unknown: "?" };
const COMMAND_SHOWN = 4000;

export function badge(outcome) {
    return el(
        "span",
        { class: "badge badge-" + outcome.tone },
        el("span", { "aria-hidden": "true" }, MARKS[outcome.tone] + " "),
        outcome.label,
    );
}

export function themeSwitch() {
    return choice(
        "Colours",
        [
            ["auto", "Auto"],
            ["light", "Light"],
            ["dark", "Dark"],
        ],
        theme.choice,
        (value) => theme.pick(value),
    );
}

export function commandText(flight) {
    const text = plain(shellJoin(flight.command));
    return text === "" ? "(command not recorded)" : text;
}

function figure(title, value, detail) {
    return el(
        "div",
        { class: "figure" },
        el("dt", {}, title),
        el(
            "dd",
            {},
            el("span", { class: "figure-value" }, value),
            el("span", { class: "figure-detail" }, detail || "\u00a0"),
        ),
    );
}

function sum(totals, ...keys) {
    return keys.reduce(
        (total, key) => (totals.has(key) ? (total || 0) + totals.get(key) : total),
        null,
    );
}

function systemShare(cpu, system) {
    return cpu > 0 && system !== null && system >= 0 && system <= cpu
        ? formatPercent(system / cpu) + " of it system"
        : "";
}

// Counters that the totals lack are filled from the details, where those are in the data.
export function keyFigures(model) {
    const { totals, flight } = model;
    const get = (key) => (totals.has(key) ? totals.get(key) : null);
    const cpu = sum(totals, "cpu_user_ms", "cpu_system_ms");
    const cores = cpu !== null && flight.duration_ms ? cpu / flight.duration_ms : null;
    const { limits } = flight;
    const processes = get("processes") === null ? model.processes.length : get("processes");
    const lines =
        get("output_lines") === null
            ? model.output.lines.length + model.output.omitted.lines
            : get("output_lines");
    return [
        [
            "Duration",
            formatDuration(flight.duration_ms),
            flight.duration_ms === null ? "end not recorded" : "",
        ],
        ["CPU time", formatDuration(cpu), systemShare(cpu, get("cpu_system_ms"))],
        [
            "Cores in use",
            cores === null ? NONE : significant(cores),
            cores === null
                ? ""
                : limits.cpu_cores === null
                  ? "on average"
                  : "on average, of " + significant(limits.cpu_cores),
        ],
        [
            "Peak memory",
            formatBytes(get("memory_peak_bytes")),
            limits.memory_bytes === null ? "" : "limit " + formatBytes(limits.memory_bytes),
        ],
        ["Disk read", formatBytes(get("io_read_bytes")), ""],
        ["Disk written", formatBytes(get("io_write_bytes")), ""],
        [
            "Processes",
            formatCount(processes),
            get("threads_peak") === null ? "" : "up to " + plural(get("threads_peak"), "thread"),
        ],
        [
            "Output",
            plural(lines, "line"),
            get("output_bytes") === null ? "" : formatBytes(get("output_bytes")),
        ],
    ];
}

function meta(flight) {
    const wall = formatWall(flight.startedWall_ms);
    const items = [
        ["Started", el("time", { title: wall.local }, wall.utc)],
        ["Host", plain(flight.host)],
        ["Directory", plain(flight.cwd)],
        ["Flight", plain(flight.id)],
    ].filter(([, value]) => value !== "");
    return el(
        "dl",
        { class: "meta" },
        items.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))),
        flight.tags.map(([key, value]) =>
            el(
                "div",
                { class: "tag-item" },
                el("dt", {}, plain(key)),
                value === "" ? null : el("dd", {}, clip(plain(value), 200)),
            ),
        ),
    );
}

// The recorder's words for the end, where they say more than the badge.
export function reason(outcome) {
    const plainSuccess =
        outcome.tone === "ok" && /^exit(ed)?( with)?( code| status)? 0$/.test(outcome.text);
    return outcome.text === "" || outcome.text === outcome.label || plainSuccess
        ? null
        : el("p", { class: "why" }, outcome.text);
}

export function header(model) {
    const { flight, outcome } = model;
    const title =
        flight.name === "" ? null : el("span", { class: "flight-name" }, plain(flight.name));
    const evidence =
        outcome.evidence.length > 0
            ? el(
                  "details",
                  { class: "evidence", open: outcome.tone !== "ok" },
                  el("summary", {}, "Evidence"),
                  el(
                      "ul",
                      {},
                      outcome.evidence.map((text) => el("li", {}, text)),
                  ),
              )
            : null;
    return el(
        "header",
        { class: "head" },
        el(
            "div",
            { class: "head-top" },
            el(
                "span",
                { class: "brand" },
                "Mayfly",
                el("span", { class: "muted" }, " flight report"),
            ),
            el("span", { class: "no-print" }, themeSwitch()),
        ),
        el(
            "div",
            { class: "head-title" },
            badge(outcome),
            title,
            el("h1", { class: "command" }, clip(commandText(flight), COMMAND_SHOWN)),
        ),
        reason(outcome),
        evidence,
        meta(flight),
        el(
            "dl",
            { class: "figures" },
            keyFigures(model).map(([name, value, detail]) => figure(name, value, detail)),
        ),
    );
}
