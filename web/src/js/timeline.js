// The stack of panels over one time axis, and the hands on it: hover, drag to zoom, double click to
// reset, keys, wheel. Panels draw themselves; this file knows where they are.
import { button, el, onFrame } from "./dom.js";
import { clip } from "./format.js";
import { theme } from "./theme.js";
import { AXIS_WIDTH, RIGHT_PAD } from "./charts.js";

const DRAG_FROM = 5; // pixels until a press becomes a selection
const CHARTS_SHOWN_MAX = 12;

export class Timeline {
    constructor(view) {
        this.view = view;
        this.charts = [];
        this.strips = [];
        this.gantt = null;
        this.panels = new Map(); // track element -> {hover, leave, click}
        this.over = null;
        this.drag = null;
        this.left = AXIS_WIDTH;
        this.width = 0;
        this.ticking = false;
        this.stack = el("div", {
            class: "stack",
            tabindex: "0",
            role: "group",
            "aria-label":
                "Timeline. Left and right move the cursor, plus and minus zoom, zero shows all, " +
                "space pins the cursor.",
        });
        this.cursorLine = el("div", { class: "cursor-line", hidden: true });
        this.cursorFlag = el("div", { class: "cursor-flag", hidden: true });
        this.selection = el("div", { class: "selection", hidden: true });
        this.node = el(
            "section",
            { class: "card timeline", "aria-label": "Timeline" },
            this.toolbar(),
            this.stack,
        );
        this.stack.append(this.cursorLine, this.selection);
        this.listen();
        view.on("range", () => {
            this.showRange();
            onFrame(this.redraw);
        });
        view.on("cursor", () => onFrame(this.showCursor));
        theme.onChange(() => this.repaint());
        this.redraw = () => this.draw();
        this.showCursor = () => this.drawCursor();
    }

    toolbar() {
        this.range = el("span", { class: "range" });
        this.resetButton = button("Show all", { onclick: () => this.view.reset(), disabled: true });
        return el(
            "div",
            { class: "bar" },
            el("h2", {}, "Timeline"),
            this.range,
            el(
                "span",
                { class: "choice" },
                button("\u2212", {
                    "aria-label": "Zoom out",
                    onclick: () => this.view.zoom(2, this.view.cursor),
                }),
                button("+", {
                    "aria-label": "Zoom in",
                    onclick: () => this.view.zoom(0.5, this.view.cursor),
                }),
            ),
            this.resetButton,
            el(
                "span",
                { class: "hint" },
                "Drag to zoom, double-click for all, click to pin the cursor",
            ),
        );
    }

    track(label, host, panel, className) {
        const node = el(
            "div",
            { class: "track " + (className || "") },
            el("div", { class: "track-label" }, label),
            host,
        );
        this.stack.append(node);
        if (panel) {
            this.panels.set(node, panel);
        }
        return node;
    }

    addStrip(label, strip, className) {
        this.strips.push(strip);
        return this.track(label, strip.node, strip.hover ? strip : null, className);
    }

    addRuler(ruler) {
        const node = this.addStrip(el("span", { class: "readout" }), ruler, "track-ruler");
        this.readout = node.querySelector(".readout");
        node.append(this.cursorFlag);
    }

    addCharts(charts, height) {
        charts.forEach((chart, i) => {
            this.charts.push(chart);
            chart.height = height(chart);
            chart.host.style.height = chart.height + "px";
            const words = { cores: " cores", bytes_per_second: " per second" }[chart.chart.unit];
            const unit = words ? el("span", { class: "muted" }, words) : null;
            const node = this.track(
                [el("div", { class: "track-title" }, chart.chart.title, unit), chart.legend],
                chart.host,
            );
            node.hidden = chart.chart.secondary || i >= CHARTS_SHOWN_MAX;
        });
        const hidden = this.charts.filter((chart) => chart.host.parentNode.hidden);
        if (hidden.length > 0) {
            const names = [...new Set(hidden.map((chart) => chart.chart.title))].join(", ");
            const more = button(
                "More charts: " + clip(names.charAt(0) + names.slice(1).toLowerCase(), 90),
                {
                    onclick: () => {
                        hidden.forEach((chart) => {
                            chart.host.parentNode.hidden = false;
                        });
                        more.remove();
                        this.layout();
                    },
                },
            );
            this.stack.append(el("div", { class: "more" }, more));
        }
    }

    addGantt(gantt) {
        this.gantt = gantt;
        const node = el("div", { class: "track-wide" }, gantt.node);
        this.stack.append(node);
        this.panels.set(node, gantt);
    }

    start() {
        new ResizeObserver(() => this.layout()).observe(this.stack);
        if (this.gantt) {
            new ResizeObserver(() => this.gantt.draw()).observe(this.gantt.scroller);
        }
        this.layout();
        this.showRange();
    }

    layout() {
        const shown = this.strips.find((strip) => strip.node.clientWidth > 0);
        if (shown === undefined) {
            return;
        }
        const host = shown.node;
        const total = this.stack.clientWidth;
        const hostWidth = host.clientWidth;
        const left =
            host.getBoundingClientRect().left -
            this.stack.getBoundingClientRect().left +
            AXIS_WIDTH;
        if (
            left === this.left &&
            hostWidth === this.hostWidth &&
            total === this.total &&
            this.charts.every((chart) => chart.plot !== null || chart.host.parentNode.hidden)
        ) {
            return;
        }
        this.left = left;
        this.hostWidth = hostWidth;
        this.total = total;
        this.width = Math.max(hostWidth - AXIS_WIDTH - RIGHT_PAD, 1);
        for (const chart of this.charts) {
            if (!chart.host.parentNode.hidden) {
                chart.resize(hostWidth, chart.height);
            }
        }
        if (this.gantt) {
            this.gantt.layout(left, this.width, total);
        }
        this.drawStrips();
        this.drawCursor();
    }

    // Canvases do not follow the layout of a printed page by themselves: they are drawn at its
    // width before.
    fitPaper() {
        for (const [event, on] of [
            ["beforeprint", true],
            ["afterprint", false],
        ]) {
            window.addEventListener(event, () => {
                document.documentElement.classList.toggle("paper", on);
                this.layout();
            });
        }
    }

    drawStrips() {
        for (const strip of this.strips) {
            strip.draw(this.hostWidth);
        }
    }

    draw() {
        for (const chart of this.charts) {
            chart.applyRange();
        }
        this.drawStrips();
        if (this.gantt) {
            this.gantt.draw();
        }
        this.drawCursor();
    }

    repaint() {
        if (this.width === 0) {
            return;
        }
        for (const chart of this.charts) {
            chart.repaint();
        }
        this.drawStrips();
        if (this.gantt) {
            this.gantt.draw();
        }
    }

    showRange() {
        const { t0, t1, zoomed, end } = this.view;
        this.range.textContent = zoomed
            ? this.view.label(t0) +
              " to " +
              this.view.label(t1) +
              " (" +
              this.view.spanText(t1 - t0) +
              " of " +
              this.view.spanText(end) +
              ")"
            : "all of " + this.view.spanText(end);
        this.resetButton.disabled = !zoomed;
    }

    drawCursor() {
        const { cursor, pinned, t0, t1 } = this.view;
        for (const chart of this.charts) {
            chart.showValues();
        }
        const visible = cursor !== null && cursor >= t0 && cursor <= t1 && this.width > 0;
        this.cursorLine.hidden = !visible;
        this.cursorFlag.hidden = !visible;
        this.readout.textContent = cursor === null ? "" : pinned ? "pinned" : "";
        if (visible) {
            const x = this.left + ((cursor - t0) / (t1 - t0)) * this.width;
            this.cursorLine.style.transform = "translateX(" + x.toFixed(1) + "px)";
            this.cursorLine.classList.toggle("pinned", pinned);
            this.cursorFlag.classList.toggle("pinned", pinned);
            this.cursorFlag.textContent = this.view.label(cursor);
            const half = this.cursorFlag.offsetWidth / 2;
            this.cursorFlag.style.left =
                Math.min(Math.max(x - half, 0), this.total - 2 * half) + "px";
        }
    }

    // ---- hands ----

    plotX(event) {
        return event.clientX - this.stack.getBoundingClientRect().left - this.left;
    }

    timeAt(x) {
        const { t0, t1 } = this.view;
        return t0 + Math.min(Math.max(x / this.width, 0), 1) * (t1 - t0);
    }

    panelOf(event) {
        const track = event.target.closest(".track, .track-wide");
        return track ? this.panels.get(track) || null : null;
    }

    onControl(event) {
        return event.target.closest("button, input, .inspector, .gantt-bar, .overview") !== null;
    }

    listen() {
        const { stack } = this;
        stack.addEventListener("pointermove", (event) => this.move(event));
        stack.addEventListener("pointerdown", (event) => this.down(event));
        stack.addEventListener("pointerup", (event) => this.up(event));
        stack.addEventListener("pointercancel", () => this.endDrag());
        stack.addEventListener("pointerleave", () => {
            this.leavePanel();
            if (this.drag === null) {
                this.view.hover(null, this);
            }
        });
        stack.addEventListener("dblclick", (event) => {
            if (!this.onControl(event)) {
                this.view.pin(null, this);
                this.view.reset();
            }
        });
        stack.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
        stack.addEventListener("keydown", (event) => this.key(event));
    }

    leavePanel() {
        if (this.over !== null) {
            this.over.leave();
            this.over = null;
        }
    }

    move(event) {
        const x = this.plotX(event);
        if (this.drag !== null) {
            this.moveDrag(event, x);
            return;
        }
        if (this.onControl(event)) {
            this.leavePanel();
            this.view.hover(null, this);
            return;
        }
        const panel = this.panelOf(event);
        if (panel !== this.over) {
            this.leavePanel();
            this.over = panel;
        }
        if (panel !== null && event.pointerType !== "touch") {
            this.hoverPanel(panel, event);
        }
        this.view.hover(x >= -2 && x <= this.width + 2 ? this.timeAt(x) : null, this);
    }

    hoverPanel(panel, event) {
        const box = (panel.node || this.stack).getBoundingClientRect();
        panel.hover(event, event.clientX - box.left, event.clientY - box.top);
    }

    down(event) {
        const x = this.plotX(event);
        if (event.button !== 0 || this.onControl(event) || x > this.width + 6) {
            return;
        }
        this.drag = { x, live: false, inPlot: x >= -4, pointer: event.pointerId, y: event.clientY };
    }

    moveDrag(event, x) {
        const { drag } = this;
        if (
            !drag.live &&
            drag.inPlot &&
            Math.abs(x - drag.x) >= DRAG_FROM &&
            Math.abs(x - drag.x) > Math.abs(event.clientY - drag.y)
        ) {
            drag.live = true;
            this.leavePanel();
            this.stack.setPointerCapture(drag.pointer);
        }
        if (drag.live) {
            const a = Math.min(Math.max(Math.min(x, drag.x), 0), this.width);
            const b = Math.min(Math.max(Math.max(x, drag.x), 0), this.width);
            this.selection.hidden = false;
            this.selection.style.left = this.left + a + "px";
            this.selection.style.width = b - a + "px";
            this.selection.textContent = this.view.spanText(this.timeAt(b) - this.timeAt(a));
            this.view.hover(this.timeAt(x), this);
        }
    }

    endDrag() {
        this.drag = null;
        this.selection.hidden = true;
    }

    up(event) {
        const { drag } = this;
        if (drag === null) {
            return;
        }
        const x = this.plotX(event);
        this.endDrag();
        if (drag.live) {
            if (Math.abs(x - drag.x) >= DRAG_FROM) {
                const a = this.timeAt(drag.x);
                const b = this.timeAt(x);
                this.view.setRange(Math.min(a, b), Math.max(a, b));
            }
            return;
        }
        const panel = this.panelOf(event);
        const box = panel ? panel.node.getBoundingClientRect() : null;
        const taken =
            panel && panel.click(event, event.clientX - box.left, event.clientY - box.top);
        if (!taken && drag.inPlot) {
            this.togglePin(this.timeAt(x));
        }
        if (panel && event.pointerType === "touch") {
            this.hoverPanel(panel, event);
        }
    }

    togglePin(t) {
        this.view.pin(this.view.pinned ? null : t, this);
        if (!this.view.pinned) {
            this.view.hover(t, this);
        }
    }

    wheel(event) {
        if (this.onControl(event)) {
            return;
        }
        const sideways = event.shiftKey
            ? event.deltaX || event.deltaY
            : Math.abs(event.deltaX) > Math.abs(event.deltaY)
              ? event.deltaX
              : 0;
        if (event.ctrlKey || event.metaKey) {
            event.preventDefault();
            this.view.zoom(
                Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))),
                this.timeAt(this.plotX(event)),
            );
        } else if (sideways !== 0 && this.view.zoomed) {
            event.preventDefault();
            this.view.pan(sideways / Math.max(this.width, 1));
        }
    }

    key(event) {
        if (
            event.target.closest("input, button") ||
            event.ctrlKey ||
            event.metaKey ||
            event.altKey
        ) {
            return;
        }
        const { view } = this;
        const move = (share) => {
            const from = view.cursor !== null ? view.cursor : (view.t0 + view.t1) / 2;
            const to = Math.min(Math.max(from + share * (view.t1 - view.t0), 0), view.end);
            if (to < view.t0 || to > view.t1) {
                view.pan(share * 2);
            }
            view.pin(to, this);
        };
        const actions = {
            ArrowLeft: () => move(event.shiftKey ? -0.1 : -0.01),
            ArrowRight: () => move(event.shiftKey ? 0.1 : 0.01),
            "+": () => view.zoom(0.5, view.cursor),
            "=": () => view.zoom(0.5, view.cursor),
            "-": () => view.zoom(2, view.cursor),
            0: () => view.reset(),
            Home: () => view.reset(),
            Escape: () => {
                view.pin(null, this);
                view.reset();
            },
            " ": () => this.togglePin(view.cursor !== null ? view.cursor : (view.t0 + view.t1) / 2),
        };
        if (Object.hasOwn(actions, event.key)) {
            actions[event.key]();
            event.preventDefault();
        }
    }
}
