// Every process of the flight on the time axis, as a tree (one row each) or as lanes (rows are
// reused, so that the height is the parallelism). Only the visible rows are drawn.
import { Surface, button, choice, el } from "./dom.js";
import { clip, formatBytes, formatDuration, plain, plural } from "./format.js";
import { laneRows, treeRows } from "./layout.js";
import { describeProcess, processEnd, processSpan } from "./model.js";
import { theme } from "./theme.js";
import { RIGHT_PAD } from "./charts.js";

const ROW = 18;
const BAR = 12;
const WIDTH_MIN = 3; // a process that lived for a millisecond is still seen
const LANES_FROM = 150; // more processes than this start as lanes
const HEIGHT_MAX = 396;
const INDENT = 9;
const ARGV_SHOWN = 700;
const STATUS_COLORS = {
    ok: "ok",
    failed: "failed",
    signal: "signal",
    running: "unknown",
    unseen: "unknown",
};

function* descendants(stack) {
    while (stack.length > 0) {
        for (const child of stack.pop()) {
            if (child.children.length > 0) {
                stack.push(child.children);
            }
            yield child;
        }
    }
}

export class Gantt {
    constructor(model, view, tip) {
        this.processes = model.processes;
        this.end_ms = model.end_ms;
        this.view = view;
        this.tip = tip;
        this.collapsed = new Set();
        this.query = "";
        this.mode = this.processes.length > LANES_FROM ? "lanes" : "tree";
        this.hovered = null;
        this.left = 0;
        this.width = 0;
        this.total = 0;
        this.surface = new Surface("gantt-canvas");
        this.spacer = el("div", { class: "gantt-spacer" });
        this.scroller = el(
            "div",
            {
                class: "gantt-scroll",
                tabindex: "0",
                role: "group",
                "aria-label":
                    "Processes over time. Arrow up and down select, space folds, Enter zooms in.",
            },
            this.surface.canvas,
            this.spacer,
        );
        this.scroller.addEventListener("scroll", () => this.draw());
        this.scroller.addEventListener("keydown", (event) => this.key(event));
        this.found = el("span", { class: "muted found" });
        this.node = el("div", { class: "gantt" }, this.toolbar(), this.scroller, this.inspector());
        this.rebuild();
        this.fitHeight();
        view.on("select", () => this.onSelect());
    }

    toolbar() {
        const search = el("input", {
            type: "search",
            placeholder: "Filter by name, argument, pid",
            "aria-label": "Filter processes",
            spellcheck: "false",
            autocomplete: "off",
            oninput: (event) => {
                this.query = event.target.value.trim().toLowerCase();
                this.rebuild();
            },
        });
        this.modes = el("span", { class: "modes" });
        this.folds = el(
            "span",
            { class: "choice folds" },
            button("Fold all", {
                onclick: () => {
                    this.collapsed = new Set(
                        this.processes.filter((process) => process.children.length > 0),
                    );
                    this.rebuild();
                },
            }),
            button("Unfold all", {
                onclick: () => {
                    this.collapsed.clear();
                    this.rebuild();
                },
            }),
        );
        this.modes.append(
            choice(
                "Arrangement",
                [
                    ["tree", "Tree"],
                    ["lanes", "Lanes"],
                ],
                this.mode,
                (mode) => this.setMode(mode),
            ),
        );
        const counts = { ok: 0, failed: 0, signal: 0, unknown: 0 };
        for (const process of this.processes) {
            counts[STATUS_COLORS[process.status]]++;
        }
        const legend = [
            ["ok", "exit 0"],
            ["failed", "exit \u2260 0"],
            ["signal", "by signal"],
            ["unknown", "not seen"],
        ]
            .filter(([key]) => counts[key] > 0)
            .map(([key, label]) => {
                const swatch = el("span", { class: "swatch" });
                swatch.style.background = "var(--" + key + ")";
                return el("span", { class: "key" }, swatch, label + " " + counts[key]);
            });
        return el(
            "div",
            { class: "bar gantt-bar" },
            el("h2", {}, plural(this.processes.length, "process", "processes")),
            search,
            this.modes,
            this.folds,
            this.found,
            el(
                "span",
                { class: "keys", title: "Fuller colour: more CPU per second of life" },
                legend,
            ),
        );
    }

    setMode(mode) {
        this.mode = mode;
        this.scroller.scrollTop = 0;
        this.rebuild();
        this.fitHeight();
    }

    // As high as the rows need, within reason; a height that the reader has dragged stays.
    fitHeight() {
        const { style } = this.scroller;
        if (style.height === (this.fitted || "")) {
            style.height = this.fitted =
                Math.min(Math.max(this.rowCount() * ROW + 8, 60), HEIGHT_MAX) + "px";
        }
    }

    inspector() {
        this.details = el("div", { class: "inspector", "aria-live": "polite" });
        this.showDetails();
        return this.details;
    }

    matcher() {
        if (this.query === "") {
            return null;
        }
        const { query } = this;
        return (process) => {
            if (process.haystack === undefined) {
                process.haystack = [
                    process.comm,
                    process.args,
                    ...process.exec.map((step) => step.comm),
                    process.pid === null ? "" : String(process.pid),
                ]
                    .join(" ")
                    .toLowerCase();
            }
            return process.haystack.includes(query);
        };
    }

    rebuild() {
        const matches = this.matcher();
        this.matched = matches ? new Set(this.processes.filter(matches)) : null;
        this.rowOf = new Map();
        if (this.mode === "tree") {
            this.rows = treeRows(
                this.processes,
                this.collapsed,
                matches ? (process) => this.matched.has(process) : null,
            );
            this.rows.forEach((row, i) => this.rowOf.set(row.process, i));
        } else {
            const packed = laneRows(this.processes, this.end_ms, this.end_ms / 1500);
            this.rows = packed.lanes;
            this.rowOf = packed.laneOf;
        }
        this.folds.hidden =
            this.mode !== "tree" || !this.processes.some((process) => process.children.length > 0);
        this.found.textContent = matches ? plural(this.matched.size, "match", "matches") : "";
        this.draw();
    }

    rowCount() {
        return this.rows.length;
    }

    // left: where the plot begins, width: of the plot, total: of the whole panel.
    layout(left, width, total) {
        this.left = left;
        this.width = width;
        this.total = total;
        this.draw();
    }

    toX(t) {
        return this.left + ((t - this.view.t0) / (this.view.t1 - this.view.t0)) * this.width;
    }

    endOf(process) {
        return process.end_ms === null ? this.end_ms : process.end_ms;
    }

    draw() {
        const height = this.scroller.clientHeight;
        this.spacer.style.height = Math.max(0, this.rowCount() * ROW + 6 - height) + "px";
        if (this.total === 0 || height === 0) {
            return;
        }
        const ctx = this.surface.begin(this.scroller.clientWidth, height);
        const offset = this.scroller.scrollTop;
        const first = Math.max(0, Math.floor((offset - 3) / ROW));
        const last = Math.min(this.rowCount(), Math.ceil((offset + height) / ROW));
        ctx.textBaseline = "middle";
        for (let row = first; row < last; row++) {
            const y = row * ROW + 3 - offset;
            if (this.mode === "tree") {
                this.drawTreeRow(ctx, this.rows[row], y);
            } else {
                this.drawLane(ctx, this.rows[row], y);
            }
        }
        if (this.mode === "lanes" && offset < ROW * 2 && this.left > 150) {
            ctx.font = "11px " + theme.color("font");
            ctx.fillStyle = theme.color("muted");
            ["A row is used again", "when its process ends."].forEach((text, i) =>
                ctx.fillText(text, 12, 12 + i * 14 - offset),
            );
        }
        if (this.rowCount() === 0) {
            ctx.font = "12px " + theme.color("font");
            ctx.fillStyle = theme.color("muted");
            ctx.fillText(
                this.processes.length === 0 ? "No process was recorded." : "No process matches.",
                this.left,
                22,
            );
        }
    }

    clipPlot(ctx, work) {
        ctx.save();
        ctx.beginPath();
        ctx.rect(this.left - 3, 0, this.width + RIGHT_PAD + 3, this.surface.height);
        ctx.clip();
        work();
        ctx.restore();
    }

    drawTreeRow(ctx, row, y) {
        const { process } = row;
        const chosen = process === this.view.selected;
        if (chosen || process === this.hovered) {
            ctx.fillStyle = theme.color(chosen ? "chosen" : "well");
            ctx.fillRect(0, y, this.surface.width, ROW);
        }
        const middle = y + ROW / 2 + 0.5;
        const indent = Math.min(process.depth * INDENT, Math.max(this.left - 96, 0)) + 4;
        if (process.children.length > 0 && this.left > 90) {
            this.drawTriangle(ctx, indent + 4, middle - 0.5, row.folded);
        }
        ctx.font = "11px " + theme.color("mono");
        ctx.fillStyle = theme.color(row.dim ? "muted" : "text");
        const from = this.left > 90 ? indent + 12 : 2;
        ctx.fillText(
            clip(process.comm, Math.max(1, Math.floor((this.left - from - 6) / 6.7))),
            from,
            middle,
        );
        this.clipPlot(ctx, () => {
            if (row.folded) {
                this.drawFolded(ctx, process, y);
            }
            const right = this.drawBar(ctx, process, y + (ROW - BAR) / 2, row.dim ? 0.35 : 1);
            const words = clip(process.tail, 200);
            const edge = this.left + this.width + RIGHT_PAD;
            if (words !== "" && this.left > 90 && right + 40 < edge) {
                ctx.fillStyle = theme.color("muted");
                ctx.fillText(
                    clip(words, Math.floor((edge - right - 10) / 6.7)),
                    Math.max(right + 6, this.left + 4),
                    middle,
                );
            }
        });
    }

    drawTriangle(ctx, x, y, folded) {
        ctx.fillStyle = theme.color("muted");
        ctx.beginPath();
        if (folded) {
            ctx.moveTo(x - 2, y - 4);
            ctx.lineTo(x + 3, y);
            ctx.lineTo(x - 2, y + 4);
        } else {
            ctx.moveTo(x - 4, y - 2);
            ctx.lineTo(x + 4, y - 2);
            ctx.lineTo(x, y + 3);
        }
        ctx.fill();
    }

    // What is folded away still shows when it ran.
    drawFolded(ctx, process, y) {
        const stack = [process.children];
        ctx.globalAlpha = 0.5;
        for (const child of descendants(stack)) {
            const x0 = this.toX(child.start_ms);
            ctx.fillStyle = theme.color(STATUS_COLORS[child.status]);
            ctx.fillRect(x0, y + ROW - 3, Math.max(this.toX(this.endOf(child)) - x0, 1), 2);
        }
        ctx.globalAlpha = 1;
    }

    drawLane(ctx, lane, y) {
        ctx.font = "10.5px " + theme.color("mono");
        this.clipPlot(ctx, () => {
            for (const process of lane) {
                const end = this.endOf(process);
                if (end < this.view.t0 || process.start_ms > this.view.t1) {
                    continue;
                }
                const dim = this.matched !== null && !this.matched.has(process);
                const right = this.drawBar(ctx, process, y + (ROW - BAR) / 2, dim ? 0.15 : 1);
                const x = Math.max(this.toX(process.start_ms), this.left) + 4;
                const room = Math.floor((Math.min(right, this.left + this.width) - x - 2) / 6.4);
                if (room >= 2) {
                    ctx.fillStyle = theme.color(dim ? "muted" : "text");
                    ctx.fillText(clip(process.comm, room), x, y + ROW / 2 + 0.5);
                }
            }
        });
    }

    // Returns the right edge. The fill tells the share of CPU, the outline and the cap the end.
    drawBar(ctx, process, y, alpha) {
        const x0 = Math.max(this.toX(process.start_ms), this.left - 8);
        const x1 = Math.min(
            Math.max(this.toX(this.endOf(process)), x0 + WIDTH_MIN),
            this.left + this.width + RIGHT_PAD,
        );
        const edge = Math.min(x0, this.left + this.width - 1);
        const width = Math.max(x1 - edge, WIDTH_MIN);
        if (x1 < this.left - 8) {
            return this.left;
        }
        const color = theme.color(STATUS_COLORS[process.status]);
        const span = processSpan(process, this.end_ms);
        const share =
            process.cpu_ms === null ? 0.5 : span > 0 ? Math.min(process.cpu_ms / span, 1) : 1;
        ctx.fillStyle = color;
        ctx.strokeStyle = color;
        if (width < 5) {
            ctx.globalAlpha = alpha;
            ctx.fillRect(edge, y, width, BAR);
        } else {
            ctx.globalAlpha = alpha * (0.1 + 0.45 * share);
            ctx.fillRect(edge, y, width, BAR);
            ctx.globalAlpha = alpha;
            ctx.lineWidth = 1;
            ctx.setLineDash(
                process.status === "running" || process.status === "unseen" ? [3, 2] : [],
            );
            ctx.strokeRect(edge + 0.5, y + 0.5, width - 1, BAR - 1);
            ctx.setLineDash([]);
            if (process.status === "failed" || process.status === "signal") {
                ctx.fillRect(edge + width - 3, y - 2, 3, BAR + 4);
            }
            ctx.fillRect(edge, y, 2, BAR);
        }
        for (const step of process.exec.slice(1)) {
            const x = this.toX(step.t_ms);
            if (x > edge + 3 && x < edge + width - 3) {
                ctx.fillStyle = theme.color("text");
                ctx.fillRect(Math.round(x), y + 2, 1, BAR - 4);
            }
        }
        ctx.globalAlpha = 1;
        if (process === this.view.selected || process === this.hovered) {
            ctx.strokeStyle = theme.color(process === this.view.selected ? "accent" : "text");
            ctx.lineWidth = process === this.view.selected ? 2 : 1;
            ctx.strokeRect(edge - 1, y - 1, width + 2, BAR + 2);
        }
        return edge + width;
    }

    // The process under a point of the scroller; in lanes also the nearest one within a few pixels.
    find(x, y) {
        const row = Math.floor((y + this.scroller.scrollTop - 3) / ROW);
        if (row < 0 || row >= this.rowCount()) {
            return null;
        }
        if (this.mode === "tree") {
            return this.rows[row].process;
        }
        let best = null;
        let distance = 5;
        for (const process of this.rows[row]) {
            const x0 = this.toX(process.start_ms);
            const x1 = Math.max(this.toX(this.endOf(process)), x0 + WIDTH_MIN);
            const away = Math.max(x0 - x, x - x1, 0);
            if (away < distance) {
                best = process;
                distance = away;
            }
        }
        return best;
    }

    local(event) {
        const box = this.scroller.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
    }

    inRows(event) {
        return this.scroller.contains(event.target);
    }

    hover(event) {
        const found = this.inRows(event) ? this.find(...this.local(event)) : null;
        if (found !== this.hovered) {
            this.hovered = found;
            this.draw();
        }
        if (found) {
            this.tip.show(event.clientX, event.clientY, found.comm, this.facts(found, ARGV_SHOWN));
        } else {
            this.tip.hide();
        }
    }

    leave() {
        this.hovered = null;
        this.tip.hide();
        this.draw();
    }

    click(event) {
        if (!this.inRows(event)) {
            return true;
        }
        const [x, y] = this.local(event);
        const found = this.find(x, y);
        if (found && this.mode === "tree" && found.children.length > 0 && this.left > 90) {
            const indent = Math.min(found.depth * INDENT, Math.max(this.left - 96, 0)) + 4;
            if (x <= indent + 11) {
                this.fold(found);
                return true;
            }
        }
        this.view.select(found, this);
        return true;
    }

    fold(process) {
        if (!this.collapsed.delete(process)) {
            this.collapsed.add(process);
        }
        this.rebuild();
    }

    key(event) {
        const { selected } = this.view;
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            this.step(event.key === "ArrowDown" ? 1 : -1);
        } else if (event.key === "Enter" && selected) {
            this.zoomTo(selected);
        } else if (
            event.key === " " &&
            selected &&
            this.mode === "tree" &&
            selected.children.length > 0
        ) {
            this.fold(selected);
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }

    step(direction) {
        const order =
            this.mode === "tree"
                ? this.rows.map((row) => row.process)
                : this.processes.filter(
                      (process) => this.matched === null || this.matched.has(process),
                  );
        if (order.length > 0) {
            const at = order.indexOf(this.view.selected);
            const next = at < 0 ? 0 : Math.min(Math.max(at + direction, 0), order.length - 1);
            this.view.select(order[next], this);
        }
    }

    zoomTo(process) {
        const span = Math.max(processSpan(process, this.end_ms), this.view.spanMin);
        this.view.setRange(process.start_ms - span * 0.1, process.start_ms + span * 1.1);
    }

    onSelect() {
        const { selected } = this.view;
        this.showDetails();
        if (selected) {
            let hidden = false;
            for (let at = selected.parent; at; at = at.parent) {
                hidden = this.collapsed.delete(at) || hidden;
            }
            if (hidden || !this.rowOf.has(selected)) {
                this.rebuild();
            }
            const y = (this.rowOf.get(selected) || 0) * ROW;
            if (
                y < this.scroller.scrollTop ||
                y + ROW > this.scroller.scrollTop + this.scroller.clientHeight
            ) {
                this.scroller.scrollTop = y - this.scroller.clientHeight / 2;
            }
            this.view.reveal(selected.start_ms, this.endOf(selected));
        }
        this.draw();
    }

    facts(process, argvMax) {
        const rows = [
            ["End", processEnd(process)],
            [
                "Time",
                (process.startExact ? "" : "before ") +
                    this.view.label(process.start_ms) +
                    " to " +
                    (process.end_ms === null ? "\u2026" : this.view.label(process.end_ms)) +
                    ", " +
                    formatDuration(processSpan(process, this.end_ms)),
            ],
        ];
        if (process.cpu_ms !== null) {
            rows.push([
                "CPU",
                formatDuration(process.cpu_ms) + (process.totalsExact ? "" : " or a little more"),
            ]);
        }
        if (process.memoryPeak !== null) {
            rows.push(["Peak memory", formatBytes(process.memoryPeak)]);
        }
        if (process.ioRead !== null || process.ioWrite !== null) {
            rows.push([
                "Read, written",
                formatBytes(process.ioRead) + ", " + formatBytes(process.ioWrite),
            ]);
        }
        if (process.threads !== null && process.threads > 1) {
            rows.push(["Threads", String(process.threads)]);
        }
        rows.push([
            "Pid",
            (process.pid === null ? "?" : String(process.pid)) +
                (process.parent
                    ? ", child of " +
                      process.parent.comm +
                      " " +
                      (process.parent.pid === null ? "" : process.parent.pid)
                    : ""),
        ]);
        if (process.exec.length > 1) {
            rows.push(["Exec", clip(process.exec.map((step) => step.comm).join(" \u2192 "), 200)]);
        }
        if (process.args !== "") {
            rows.push(["Command", clip(plain(process.args), argvMax)]);
        }
        return rows;
    }

    showDetails() {
        const { selected } = this.view;
        this.details.classList.toggle("filled", selected !== null);
        if (selected === null) {
            this.details.replaceChildren(
                el(
                    "p",
                    { class: "muted" },
                    "Select a process to see it here. Fuller colour: more CPU per second of life.",
                ),
            );
            return;
        }
        this.details.replaceChildren(
            el(
                "div",
                { class: "inspector-head" },
                el("strong", {}, selected.comm),
                el(
                    "span",
                    { class: "badge badge-" + STATUS_COLORS[selected.status] },
                    processEnd(selected),
                ),
                button("Zoom to it", { onclick: () => this.zoomTo(selected) }),
                button("Clear", { onclick: () => this.view.select(null, this) }),
            ),
            el("span", { class: "visually-hidden" }, describeProcess(selected, this.end_ms)),
            el(
                "dl",
                { class: "facts" },
                this.facts(selected, 4000).map(([key, value]) =>
                    el("div", {}, el("dt", {}, key), el("dd", {}, value)),
                ),
            ),
        );
    }
}
