// The page of one flight: model in, panels out.
import { Tip, el, saveAs } from "./dom.js";
import { clip, formatBytes, plain, significant } from "./format.js";
import { assignCharts } from "./layout.js";
import { Chart, chartLines } from "./charts.js";
import { DensityStrip, EventStrip, Overview, Ruler } from "./strips.js";
import { Gantt } from "./gantt.js";
import { LogPanel } from "./log.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";
import { commandText, header } from "./header.js";
import { processTables, recorderCard, totalsCard } from "./tables.js";

const PRINTED_LINES = 80;
const MARKS_MAX = 200;

function limitOf(chart, limits) {
    if (chart.key === "cpu" && limits.cpu_cores !== null) {
        return {
            value: limits.cpu_cores,
            label: significant(limits.cpu_cores) + " cores",
            reach: 3,
        };
    }
    if (chart.key === "memory" && limits.memory_bytes !== null) {
        return {
            value: limits.memory_bytes,
            label: "limit " + formatBytes(limits.memory_bytes),
            reach: 2,
        };
    }
    return null;
}

// The overview sketches CPU, or whatever comes first.
export function profileOf(charts) {
    if (charts.length === 0) {
        return null;
    }
    const { lines } = charts[0];
    const first = lines[0].series;
    const value = charts[0].stacked
        ? first.value.map((one, i) => (one || 0) + (lines[1].series.value[i] || 0))
        : first.value;
    return { t_ms: first.t_ms, value };
}

export function chartHeight(chart) {
    return chart.chart.key === "cpu" ? 112 : Math.max(88, 30 + chart.lines.length * 18);
}

export function flightPage(app, model, source) {
    const { flight } = model;
    document.title =
        clip(flight.name === "" ? commandText(flight) : plain(flight.name), 80) +
        " \u2013 " +
        model.outcome.label;
    const view = new View(model.end_ms);
    const tip = new Tip();
    const charts = assignCharts(model.series);
    const marks = model.events
        .filter(
            (event) => !event.lifecycle && event.end_ms === null && !/^flight\./.test(event.kind),
        )
        .slice(0, MARKS_MAX);
    const timeline = new Timeline(view);
    const log = new LogPanel(model, view);
    timeline.addStrip(
        el("span", { class: "track-title muted" }, "Overview"),
        new Overview(view, profileOf(charts)),
        "track-overview no-print",
    );
    timeline.addRuler(new Ruler(view));
    const notable = model.events.filter((event) => !event.lifecycle);
    if (notable.length > 0) {
        timeline.addStrip(
            el("div", { class: "track-title" }, "Events"),
            new EventStrip(view, notable, tip, (event) => log.goTo(event)),
        );
    }
    timeline.addCharts(
        charts.map(
            (chart) =>
                new Chart(chart, chartLines(chart), {
                    view,
                    marks,
                    interval_ms: flight.interval_ms,
                    limit: limitOf(chart, flight.limits),
                }),
        ),
        chartHeight,
    );
    if (charts.length === 0) {
        timeline.stack.append(
            el(
                "p",
                { class: "muted empty-charts" },
                "No measurements were recorded: the flight was shorter " +
                    "than one interval, or the recorder could not measure.",
            ),
        );
    }
    if (model.output.lines.length > 0) {
        const density = new DensityStrip(view, model.output.lines);
        timeline.addStrip(
            [
                el("div", { class: "track-title" }, "Output"),
                el("div", { class: "muted track-note" }, "lines over time"),
            ],
            density,
        );
        log.onShown = (range) => {
            density.shown = range;
            if (timeline.width > 0) {
                density.draw(timeline.hostWidth);
            }
        };
    }
    timeline.addGantt(new Gantt(model, view, tip));
    const paper = el(
        "section",
        { class: "print-only" },
        el("h2", {}, "End of the output"),
        el("div", { class: "paper-lines" }),
    );
    window.addEventListener("beforeprint", () =>
        paper.lastChild.replaceChildren(...log.tail(PRINTED_LINES)),
    );
    timeline.fitPaper();
    view.on("select", (from) => {
        if (from === null && view.selected) {
            timeline.gantt.node.scrollIntoView({ block: "nearest" });
        }
    });
    const save = () =>
        saveAs(
            (flight.id || "flight").replace(/[^\w.-]+/g, "_") + ".json",
            [source],
            "application/json",
        );
    app.replaceChildren(
        header(model),
        el(
            "main",
            { class: "main" },
            timeline.node,
            log.node,
            el(
                "div",
                { class: "tables" },
                processTables(model, view),
                totalsCard(model),
                recorderCard(model, save),
            ),
        ),
        paper,
    );
    timeline.start();
    log.filter();
}
