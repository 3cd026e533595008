// One uPlot instance per chart. uPlot draws lines, areas and axes; range, cursor and selection
// belong to the view, so that every panel of the page shares them.
import { el } from "./dom.js";
import { NONE, formatValue } from "./format.js";
import { LINES_MAX, sampleAt, timeTicks, valueAxis } from "./layout.js";
import { theme } from "./theme.js";

export const AXIS_WIDTH = 62;
export const RIGHT_PAD = 18;
const COLORS = {
    cpu: ["s1", "s2"],
    memory: ["s3", "s1", "s5", "s2", "s7"],
    io: ["s5", "s6"],
    tasks: ["s1", "s6"],
    net: ["s4", "s2"],
    pressure: ["s2", "s3", "s5"],
    output: ["s7", "s2"],
    faults: ["s4", "s6"],
    switches: ["s8"],
};
const SPARE = ["s1", "s2", "s3", "s5", "s6", "s7", "s4", "s8"];

// A line is {label, color, series}; values in between are told by `mean` (see sampleAt).
export function chartLines(chart) {
    const shown = chart.lines.slice(0, LINES_MAX);
    const colors = COLORS[chart.key] || SPARE;
    return shown.map((line, i) => ({
        ...line,
        color: i < colors.length ? colors[i] : SPARE[i % SPARE.length],
    }));
}

// For a rate the first sample stands for the interval before it; give that interval a beginning.
function withBeginning(series, interval_ms) {
    const first = series.t_ms[0];
    const step = interval_ms || (series.t_ms.length > 1 ? series.t_ms[1] - first : first);
    if (first <= 0 || series.value[0] === null) {
        return { t: series.t_ms, columns: [series.value, series.max, series.min] };
    }
    const prepend = (column) => (column ? [column[0], ...column] : null);
    return {
        t: [Math.max(0, first - step), ...series.t_ms],
        columns: [prepend(series.value), prepend(series.max), prepend(series.min)],
    };
}

function largest(column) {
    let max = null;
    for (const value of column) {
        if (value !== null && (max === null || value > max)) {
            max = value;
        }
    }
    return max;
}

export function peakOf(series) {
    return largest(series.max || series.value);
}

export class Chart {
    // limit: {value, label} or null, drawn as a dashed line where it is near enough to matter.
    constructor(chart, lines, options) {
        this.chart = chart;
        this.lines = lines;
        this.view = options.view;
        this.limit = options.limit || null;
        this.marks = options.marks || [];
        this.interval_ms = options.interval_ms || null;
        this.peak = this.findPeak();
        this.axis = this.valueAxis();
        this.host = el("div", { class: "plot", role: "img", "aria-label": this.describe() });
        this.legendValues = [];
        this.legend = this.buildLegend();
        this.plot = null;
    }

    findPeak() {
        if (this.chart.stacked) {
            return largest(this.stack());
        }
        return this.lines.reduce((max, line) => Math.max(max, peakOf(line.series) || 0), 0);
    }

    stack() {
        const [a, b] = this.lines;
        return a.series.value.map((value, i) =>
            value === null || b.series.value[i] === null ? null : value + b.series.value[i],
        );
    }

    valueAxis() {
        let max = this.peak || 0;
        if (this.limit && this.limit.value <= Math.max(max, 1e-9) * this.limit.reach) {
            max = Math.max(max, this.limit.value);
        } else {
            this.limit = null;
        }
        return valueAxis(max * 1.04, this.chart.unit, 3);
    }

    describe() {
        const parts = this.lines.map((line) => {
            const peak = peakOf(line.series);
            return (
                line.label +
                ", peak " +
                (peak === null ? "not measured" : formatValue(peak, this.chart.unit))
            );
        });
        return (
            this.chart.title +
            (this.chart.unit === "cores" ? " in cores" : "") +
            ": " +
            parts.join("; ")
        );
    }

    buildLegend() {
        return el(
            "div",
            { class: "legend" },
            this.lines.map((line) => {
                const value = el("span", { class: "legend-value" });
                this.legendValues.push(value);
                const swatch = el("span", { class: "swatch" });
                swatch.style.background = "var(--" + line.color + ")";
                return el(
                    "div",
                    { class: "legend-row" },
                    swatch,
                    el("span", { class: "legend-name", title: line.label }, line.label),
                    value,
                );
            }),
            this.chart.lines.length > LINES_MAX
                ? el(
                      "div",
                      { class: "legend-row muted" },
                      "and " + (this.chart.lines.length - LINES_MAX) + " more in the data",
                  )
                : null,
        );
    }

    showValues() {
        const t = this.view.cursor;
        this.lines.forEach((line, i) => {
            const { series } = line;
            let text;
            if (t === null) {
                const peak = peakOf(series);
                text = peak === null ? NONE : "max\u00a0" + formatValue(peak, this.chart.unit);
            } else {
                const at = sampleAt(series.t_ms, t, this.chart.mean);
                text = at < 0 ? NONE : formatValue(series.value[at], this.chart.unit);
            }
            this.legendValues[i].textContent = text;
        });
    }

    data() {
        if (this.chart.stacked) {
            const total = withBeginning(
                { ...this.lines[0].series, value: this.stack(), min: null, max: null },
                this.interval_ms,
            );
            const system = withBeginning(
                { ...this.lines[1].series, min: null, max: null },
                this.interval_ms,
            );
            const tables = [
                [total.t, total.columns[0]],
                [system.t, system.columns[0]],
            ];
            return {
                data: uPlot.join(tables),
                series: this.lines.map((line) => this.area(line, 0.5)),
                bands: [],
            };
        }
        const tables = [];
        const series = [];
        const bands = [];
        for (const [i, line] of this.lines.entries()) {
            const { t, columns } = this.chart.mean
                ? withBeginning(line.series, this.interval_ms)
                : {
                      t: line.series.t_ms,
                      columns: [line.series.value, line.series.max, line.series.min],
                  };
            const table = [t, columns[0]];
            series.push(
                this.area(
                    line,
                    line.dash === undefined &&
                        (this.lines.length === 1 || (this.chart.key === "memory" && i === 0))
                        ? 0.22
                        : 0,
                ),
            );
            if (columns[1] && columns[2]) {
                table.push(columns[1], columns[2]);
                bands.push({
                    series: [series.length + 1, series.length + 2],
                    fill: () => theme.color(line.color) + "33",
                });
                series.push(this.edge(), this.edge());
            }
            tables.push(table);
        }
        return { data: uPlot.join(tables), series, bands };
    }

    path() {
        return this.chart.mean
            ? uPlot.paths.stepped({ align: -1 })
            : this.chart.unit === "count"
              ? uPlot.paths.stepped({ align: 1 })
              : uPlot.paths.linear();
    }

    area(line, alpha) {
        const opacity = Math.round(alpha * 255)
            .toString(16)
            .padStart(2, "0");
        return {
            stroke: () => theme.color(line.color),
            width: 1.5,
            paths: this.path(),
            dash: line.dash,
            fill: alpha > 0 ? () => theme.color(line.color) + opacity : undefined,
            points: {
                show: (u, i, i0, i1) => i1 - i0 < 1,
                size: 5,
                fill: () => theme.color(line.color),
            },
        };
    }

    edge() {
        return { stroke: "transparent", width: 0, paths: this.path(), points: { show: false } };
    }

    build(width, height) {
        const { data, series, bands } = this.data();
        const { view } = this;
        const grid = { stroke: () => theme.color("grid"), width: 1 };
        const font = "11px " + theme.color("font");
        this.plot = new uPlot(
            {
                width,
                height,
                padding: [9, RIGHT_PAD, 4, 0],
                pxAlign: 1,
                cursor: { show: false },
                legend: { show: false },
                select: { show: false },
                scales: {
                    x: { time: false, range: () => [view.t0, view.t1] },
                    y: { range: () => [0, this.axis.top] },
                },
                axes: [
                    {
                        size: 0,
                        gap: 0,
                        ticks: { show: false },
                        grid,
                        values: (u, splits) => splits.map(() => null),
                        splits: (u) =>
                            timeTicks(view.t0, view.t1, u.bbox.width / uPlot.pxRatio / 90).ticks,
                    },
                    {
                        size: AXIS_WIDTH,
                        gap: 6,
                        ticks: { show: false },
                        grid,
                        font,
                        stroke: () => theme.color("muted"),
                        splits: () => this.axis.splits,
                        values: (u, splits) =>
                            splits.map((value) =>
                                value === 0 ? "0" : formatValue(value, this.axisUnit()),
                            ),
                    },
                ],
                series: [{}, ...series],
                bands,
                hooks: { drawAxes: [(u) => this.drawMarks(u)], draw: [(u) => this.drawLimit(u)] },
            },
            data,
            this.host,
        );
        this.showValues();
    }

    // The title says "per second" once, so that the labels need not.
    axisUnit() {
        return this.chart.unit === "bytes_per_second" ? "bytes" : this.chart.unit;
    }

    drawMarks(u) {
        const { ctx, bbox } = u;
        ctx.save();
        ctx.lineWidth = uPlot.pxRatio;
        ctx.setLineDash([3 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
        ctx.globalAlpha = 0.55;
        for (const mark of this.marks) {
            if (mark.t_ms >= this.view.t0 && mark.t_ms <= this.view.t1) {
                const x = Math.round(u.valToPos(mark.t_ms, "x", true)) + 0.5;
                ctx.strokeStyle = theme.color(mark.tone);
                ctx.beginPath();
                ctx.moveTo(x, bbox.top);
                ctx.lineTo(x, bbox.top + bbox.height);
                ctx.stroke();
            }
        }
        ctx.restore();
    }

    drawLimit(u) {
        if (this.limit === null) {
            return;
        }
        const { ctx, bbox } = u;
        const y = Math.round(u.valToPos(this.limit.value, "y", true)) + 0.5;
        ctx.save();
        ctx.strokeStyle = theme.color("signal");
        ctx.lineWidth = uPlot.pxRatio;
        ctx.setLineDash([6 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.font = Math.round(10 * uPlot.pxRatio) + "px " + theme.color("font");
        ctx.textAlign = "right";
        ctx.textBaseline = y - bbox.top < 14 * uPlot.pxRatio ? "top" : "bottom";
        ctx.fillStyle = theme.color("muted");
        const shift = ctx.textBaseline === "top" ? 3 : -2;
        ctx.fillText(
            this.limit.label,
            bbox.left + bbox.width - 3 * uPlot.pxRatio,
            y + shift * uPlot.pxRatio,
        );
        ctx.restore();
    }

    resize(width, height) {
        if (this.plot === null) {
            this.build(width, height);
        } else if (this.plot.width !== width || this.plot.height !== height) {
            this.plot.setSize({ width, height });
        }
    }

    applyRange() {
        if (this.plot !== null) {
            this.plot.setScale("x", { min: this.view.t0, max: this.view.t1 });
        }
    }

    repaint() {
        if (this.plot !== null) {
            this.plot.redraw(false, true);
        }
    }
}
