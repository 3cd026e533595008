// What the reader is looking at: the visible range of time, the cursor, the pinned cursor, the
// selected process. Panels change it and are told of changes; they never talk to each other.
import { formatDuration, formatTime } from "./format.js";

export class View {
    constructor(end_ms) {
        this.end = end_ms;
        this.spanMin = Math.max(end_ms * 1e-6, 0.01);
        this.t0 = 0;
        this.t1 = end_ms;
        this.cursor = null;
        this.pinned = false;
        this.selected = null;
        this.listeners = { range: [], cursor: [], select: [] };
    }

    on(what, listener) {
        this.listeners[what].push(listener);
    }

    tell(what, source) {
        for (const listener of this.listeners[what]) {
            listener(source);
        }
    }

    get zoomed() {
        return this.t0 > 0 || this.t1 < this.end;
    }

    setRange(t0, t1) {
        const span = Math.min(Math.max(t1 - t0, this.spanMin), this.end);
        const start = Math.min(
            Math.max(span === t1 - t0 ? t0 : (t0 + t1 - span) / 2, 0),
            this.end - span,
        );
        if (start !== this.t0 || start + span !== this.t1) {
            this.t0 = start;
            this.t1 = start + span;
            this.tell("range");
        }
    }

    reset() {
        this.setRange(0, this.end);
    }

    // factor < 1 zooms in; `about` stays where it is.
    zoom(factor, about) {
        const centre =
            about !== null && about >= this.t0 && about <= this.t1
                ? about
                : (this.t0 + this.t1) / 2;
        const span = Math.max((this.t1 - this.t0) * factor, this.spanMin);
        const share = (centre - this.t0) / (this.t1 - this.t0);
        this.setRange(centre - share * span, centre + (1 - share) * span);
    }

    pan(share) {
        const shift = (this.t1 - this.t0) * share;
        const kept = Math.min(Math.max(shift, -this.t0), this.end - this.t1);
        this.setRange(this.t0 + kept, this.t1 + kept);
    }

    reveal(t0, t1) {
        if (t1 < this.t0 || t0 > this.t1) {
            const half = (this.t1 - this.t0) / 2;
            this.setRange((t0 + t1) / 2 - half, (t0 + t1) / 2 + half);
        }
    }

    hover(t, source) {
        if (!this.pinned) {
            this.setCursor(t, source);
        }
    }

    setCursor(t, source) {
        const next = t === null ? null : Math.min(Math.max(t, 0), this.end);
        if (next !== this.cursor) {
            this.cursor = next;
            this.tell("cursor", source);
        }
    }

    pin(t, source) {
        this.pinned = t !== null;
        this.cursor = null;
        this.setCursor(t, source);
        if (t === null) {
            this.tell("cursor", source);
        }
    }

    select(process, source) {
        this.selected = process;
        this.tell("select", source);
    }

    // Words for a point on the axis (`step` is the finest difference to show) and for a length of
    // it.
    pointText(t, step) {
        return formatTime(t, step, this.end);
    }

    spanText(span) {
        return formatDuration(span);
    }

    // Words for a time, fine enough for the present zoom.
    label(t) {
        return this.pointText(t, Math.max((this.t1 - this.t0) / 1000, 1e-3));
    }
}

// The axis of two runs stretched to the same length: their share of the way.
export class ShareView extends View {
    constructor() {
        super(100);
    }

    pointText(t, step) {
        return t.toFixed(step >= 1 ? 0 : step >= 0.1 ? 1 : 2) + "\u00a0%";
    }

    spanText(span) {
        return this.pointText(span, 0.1);
    }
}
