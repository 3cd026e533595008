// The narrow bands of the timeline: overview, ruler, events, output density.
import { Surface, el } from "./dom.js";
import { clip, formatDuration, plural } from "./format.js";
import { laneRows, timeTicks, upperBound } from "./layout.js";
import { theme } from "./theme.js";
import { AXIS_WIDTH, RIGHT_PAD } from "./charts.js";

const OVERVIEW_HEIGHT = 34;
const RULER_HEIGHT = 22;
const SPAN_HEIGHT = 17;
const MARKS_HEIGHT = 20;
const SPAN_LANES_MAX = 6;
const DENSITY_HEIGHT = 34;

// The whole flight in one line, with the visible range lit. Drag the range to move it, its edges to
// resize it, anything else to choose a new one.
export class Overview {
    constructor(view, profile) {
        this.view = view;
        this.profile = profile; // {t_ms, value} or null: what is sketched behind
        this.surface = new Surface("strip");
        this.node = el("div", { class: "strip-host overview" }, this.surface.canvas);
        this.grip = null;
        this.node.addEventListener("pointerdown", (event) => this.down(event));
        this.node.addEventListener("pointermove", (event) => this.move(event));
        this.node.addEventListener("pointerup", () => {
            this.grip = null;
        });
        this.node.addEventListener("pointercancel", () => {
            this.grip = null;
        });
        this.width = 0;
    }

    toX(t) {
        return AXIS_WIDTH + (t / this.view.end) * this.width;
    }

    timeOf(event) {
        const x = event.clientX - this.node.getBoundingClientRect().left - AXIS_WIDTH;
        return Math.min(Math.max(x / Math.max(this.width, 1), 0), 1) * this.view.end;
    }

    down(event) {
        if (event.button !== 0) {
            return;
        }
        const t = this.timeOf(event);
        const { t0, t1, end, zoomed } = this.view;
        const near = (6 / Math.max(this.width, 1)) * end;
        const mode = !zoomed
            ? "new"
            : Math.abs(t - t0) < near
              ? "left"
              : Math.abs(t - t1) < near
                ? "right"
                : t > t0 && t < t1
                  ? "move"
                  : "new";
        this.grip = { mode, from: t, t0, t1 };
        this.node.setPointerCapture(event.pointerId);
        event.preventDefault();
    }

    move(event) {
        if (this.grip === null) {
            return;
        }
        const t = this.timeOf(event);
        const { mode, from, t0, t1 } = this.grip;
        if (mode === "move") {
            const shift = Math.min(Math.max(t - from, -t0), this.view.end - t1);
            this.view.setRange(t0 + shift, t1 + shift);
        } else {
            const anchor = mode === "left" ? t1 : mode === "right" ? t0 : from;
            if ((Math.abs(t - anchor) * this.width) / this.view.end > 3) {
                this.view.setRange(Math.min(anchor, t), Math.max(anchor, t));
            }
        }
    }

    draw(width) {
        this.width = Math.max(width - AXIS_WIDTH - RIGHT_PAD, 1);
        const ctx = this.surface.begin(width, OVERVIEW_HEIGHT);
        const top = 3;
        const bottom = OVERVIEW_HEIGHT - 3;
        ctx.fillStyle = theme.color("well");
        ctx.fillRect(AXIS_WIDTH, top, this.width, bottom - top);
        this.drawProfile(ctx, top, bottom);
        const x0 = this.toX(this.view.t0);
        const x1 = Math.max(this.toX(this.view.t1), x0 + 2);
        ctx.fillStyle = theme.color("veil");
        ctx.fillRect(AXIS_WIDTH, top, x0 - AXIS_WIDTH, bottom - top);
        ctx.fillRect(x1, top, AXIS_WIDTH + this.width - x1, bottom - top);
        ctx.strokeStyle = theme.color(this.view.zoomed ? "accent" : "line");
        ctx.lineWidth = 1;
        ctx.strokeRect(x0 + 0.5, top + 0.5, Math.max(x1 - x0 - 1, 1), bottom - top - 1);
        if (this.view.zoomed) {
            ctx.fillStyle = theme.color("accent");
            ctx.fillRect(x0 - 1, top + 6, 3, bottom - top - 12);
            ctx.fillRect(x1 - 2, top + 6, 3, bottom - top - 12);
        }
    }

    drawProfile(ctx, top, bottom) {
        if (this.profile === null) {
            return;
        }
        const { t_ms, value } = this.profile;
        const max = value.reduce((most, one) => Math.max(most, one || 0), 0) || 1;
        ctx.fillStyle = theme.color("sketch");
        for (let i = 0; i < t_ms.length; i++) {
            const from = this.toX(
                i === 0 ? Math.max(0, t_ms[0] - (t_ms[1] - t_ms[0] || t_ms[0])) : t_ms[i - 1],
            );
            const height = ((value[i] || 0) / max) * (bottom - top - 3);
            ctx.fillRect(from, bottom - height, Math.max(this.toX(t_ms[i]) - from, 0.5), height);
        }
    }
}

export class Ruler {
    constructor(view) {
        this.view = view;
        this.surface = new Surface("strip");
        this.node = el("div", { class: "strip-host" }, this.surface.canvas);
    }

    draw(width) {
        const ctx = this.surface.begin(width, RULER_HEIGHT);
        const plot = width - AXIS_WIDTH - RIGHT_PAD;
        const { t0, t1 } = this.view;
        const { step, ticks } = timeTicks(t0, t1, plot / 90);
        ctx.font = "11px " + theme.color("font");
        ctx.fillStyle = theme.color("muted");
        ctx.strokeStyle = theme.color("line");
        ctx.textBaseline = "middle";
        ctx.beginPath();
        for (const tick of ticks) {
            const x = AXIS_WIDTH + ((tick - t0) / (t1 - t0)) * plot;
            ctx.moveTo(Math.round(x) + 0.5, RULER_HEIGHT - 5);
            ctx.lineTo(Math.round(x) + 0.5, RULER_HEIGHT);
            const text = this.view.pointText(tick, step);
            const half = ctx.measureText(text).width / 2;
            ctx.fillText(
                text,
                Math.min(Math.max(x - half, AXIS_WIDTH - 10), width - 2 * half - 2),
                9,
            );
        }
        ctx.stroke();
    }
}

// Instants as diamonds (a number where several fall together), spans as bars above them.
export class EventStrip {
    constructor(view, events, tip, onPick) {
        this.view = view;
        this.tip = tip;
        this.onPick = onPick;
        this.marks = events.filter((event) => event.end_ms === null);
        const spans = events.filter((event) => event.end_ms !== null);
        const packed = laneRows(
            spans.map((event) => ({ ...event, start_ms: event.t_ms, event })),
            view.end,
            0,
        );
        this.lanes = packed.lanes.slice(0, SPAN_LANES_MAX);
        this.height =
            this.lanes.length * SPAN_HEIGHT +
            (this.marks.length > 0 || spans.length === 0 ? MARKS_HEIGHT : 4);
        this.surface = new Surface("strip");
        this.node = el("div", { class: "strip-host" }, this.surface.canvas);
        this.width = 0;
        this.clusters = [];
    }

    toX(t) {
        return AXIS_WIDTH + ((t - this.view.t0) / (this.view.t1 - this.view.t0)) * this.width;
    }

    draw(width) {
        this.width = width - AXIS_WIDTH - RIGHT_PAD;
        const ctx = this.surface.begin(width, this.height);
        ctx.save();
        ctx.beginPath();
        ctx.rect(AXIS_WIDTH - 6, 0, this.width + 12, this.height);
        ctx.clip();
        ctx.font = "11px " + theme.color("font");
        ctx.textBaseline = "middle";
        this.drawSpans(ctx);
        this.drawMarks(ctx);
        ctx.restore();
    }

    drawSpans(ctx) {
        this.lanes.forEach((lane, row) => {
            for (const span of lane) {
                const x0 = Math.max(this.toX(span.t_ms), AXIS_WIDTH - 4);
                const x1 = Math.min(
                    Math.max(this.toX(span.end_ms), x0 + 3),
                    AXIS_WIDTH + this.width + 4,
                );
                if (x1 < AXIS_WIDTH || x0 > AXIS_WIDTH + this.width) {
                    continue;
                }
                const y = row * SPAN_HEIGHT + 2;
                ctx.fillStyle = theme.color(span.tone) + "33";
                ctx.fillRect(x0, y, x1 - x0, SPAN_HEIGHT - 3);
                ctx.fillStyle = theme.color(span.tone);
                ctx.fillRect(x0, y, 2, SPAN_HEIGHT - 3);
                const text = clip(span.text || span.kind, Math.floor((x1 - x0 - 8) / 6));
                if (x1 - x0 > 26) {
                    ctx.fillStyle = theme.color("text");
                    ctx.fillText(text, x0 + 6, y + (SPAN_HEIGHT - 3) / 2 + 0.5);
                }
            }
        });
    }

    drawMarks(ctx) {
        const y = this.lanes.length * SPAN_HEIGHT + MARKS_HEIGHT / 2;
        this.clusters = [];
        for (const mark of this.marks) {
            const x = this.toX(mark.t_ms);
            if (x < AXIS_WIDTH - 1 || x > AXIS_WIDTH + this.width + 1) {
                continue;
            }
            const last = this.clusters[this.clusters.length - 1];
            if (last && x - last.x < 11) {
                last.events.push(mark);
            } else {
                this.clusters.push({ x, events: [mark] });
            }
        }
        this.clusters.forEach((cluster, i) => {
            const worst = ["signal", "failed", "accent"].find((tone) =>
                cluster.events.some((one) => one.tone === tone),
            );
            const r = cluster.events.length > 1 ? 6 : 4.5;
            ctx.fillStyle = theme.color(worst);
            ctx.beginPath();
            ctx.moveTo(cluster.x, y - r);
            ctx.lineTo(cluster.x + r, y);
            ctx.lineTo(cluster.x, y + r);
            ctx.lineTo(cluster.x - r, y);
            ctx.fill();
            const next =
                i + 1 < this.clusters.length ? this.clusters[i + 1].x : AXIS_WIDTH + this.width;
            const text =
                cluster.events.length > 1
                    ? "\u00d7" + cluster.events.length
                    : cluster.events[0].text || cluster.events[0].kind;
            const room = Math.floor((next - cluster.x - 18) / 6);
            if (room >= 4 || (cluster.events.length > 1 && room >= 3)) {
                ctx.fillStyle = theme.color("muted");
                ctx.fillText(clip(text, room), cluster.x + r + 4, y + 0.5);
            }
        });
    }

    find(x, y) {
        const row = Math.floor(y / SPAN_HEIGHT);
        if (row < this.lanes.length) {
            const hit = this.lanes[row].filter(
                (span) =>
                    x >= this.toX(span.t_ms) - 3 &&
                    x <= Math.max(this.toX(span.end_ms), this.toX(span.t_ms) + 3) + 3,
            );
            return hit.slice(0, 1).map((span) => span.event);
        }
        const cluster = this.clusters.find((one) => Math.abs(one.x - x) <= 8);
        return cluster ? cluster.events : [];
    }

    hover(event, x, y) {
        const hits = this.find(x, y);
        if (hits.length === 0) {
            this.tip.hide();
            return;
        }
        const rows = hits
            .slice(0, 12)
            .map((one) => [
                this.view.label(one.t_ms),
                clip(
                    one.kind +
                        (one.text ? ": " + one.text : "") +
                        (one.end_ms !== null
                            ? " (" + formatDuration(one.end_ms - one.t_ms) + ")"
                            : ""),
                    400,
                ),
            ]);
        if (hits.length > 12) {
            rows.push("and " + (hits.length - 12) + " more");
        }
        this.tip.show(event.clientX, event.clientY, plural(hits.length, "event"), rows);
    }

    leave() {
        this.tip.hide();
    }

    click(event, x, y) {
        const hits = this.find(x, y);
        if (hits.length > 0) {
            this.view.pin(hits[0].t_ms, this);
            this.onPick(hits[0]);
            return true;
        }
        return false;
    }
}

// How much was written when: lines per two pixels, standard error on top. The bracket is what the
// output panel shows.
export class DensityStrip {
    constructor(view, lines) {
        this.view = view;
        this.lines = lines;
        this.shown = null;
        this.surface = new Surface("strip");
        this.node = el("div", { class: "strip-host" }, this.surface.canvas);
    }

    draw(width) {
        const plot = width - AXIS_WIDTH - RIGHT_PAD;
        const ctx = this.surface.begin(width, DENSITY_HEIGHT);
        const { t0, t1 } = this.view;
        const bins = Math.max(1, Math.floor(plot / 2));
        const out = new Uint32Array(bins);
        const err = new Uint32Array(bins);
        const scale = bins / (t1 - t0);
        for (
            let i = upperBound(this.lines, t0, (line) => line.t_ms - 1e-9);
            i < this.lines.length;
            i++
        ) {
            const line = this.lines[i];
            if (line.t_ms > t1) {
                break;
            }
            const bin = Math.min(bins - 1, Math.floor((line.t_ms - t0) * scale));
            (line.stream === "err" ? err : out)[bin]++;
        }
        let max = 1;
        for (let i = 0; i < bins; i++) {
            max = Math.max(max, out[i] + err[i]);
        }
        const bottom = DENSITY_HEIGHT - 5;
        const tall = (count) =>
            count === 0 ? 0 : Math.max(3, Math.sqrt(count / max) * (bottom - 3));
        for (let i = 0; i < bins; i++) {
            const total = out[i] + err[i];
            if (total > 0) {
                const height = tall(total);
                const errHeight = Math.max(err[i] > 0 ? 2 : 0, (height * err[i]) / total);
                const x = AXIS_WIDTH + i * 2;
                ctx.fillStyle = theme.color("stdout");
                ctx.fillRect(x, bottom - height + errHeight, 1.5, height - errHeight);
                ctx.fillStyle = theme.color("failed");
                ctx.fillRect(x, bottom - height, 1.5, errHeight);
            }
        }
        ctx.fillStyle = theme.color("line");
        ctx.fillRect(AXIS_WIDTH, bottom, plot, 1);
        if (this.shown !== null) {
            const toX = (t) =>
                Math.min(
                    Math.max(AXIS_WIDTH + ((t - t0) / (t1 - t0)) * plot, AXIS_WIDTH),
                    AXIS_WIDTH + plot,
                );
            const x0 = toX(this.shown[0]);
            ctx.fillStyle = theme.color("accent");
            ctx.fillRect(x0, bottom + 2, Math.max(toX(this.shown[1]) - x0, 2), 3);
        }
    }
}
