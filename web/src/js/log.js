// The output of the run, line by line, and its events: two lists that scroll with the cursor. Only
// the rows in sight exist as elements, so that a million lines cost what fifty do.
import { PLAIN_STYLE, parseRuns, settle, stripEscapes, styleAfter } from "./ansi.js";
import { button, choice, el, onFrame, saveAs } from "./dom.js";
import { clip, formatBytes, formatCount, formatDuration, plain, plural } from "./format.js";
import { upperBound } from "./layout.js";
import { readable, theme } from "./theme.js";

const ROW = 18;
const SPARE_ROWS = 8;
const SCROLL_HEIGHT_MAX = 8000000; // browsers lose precision beyond some ten million pixels
const LINE_SHOWN = 2000;
const LINE_DETAIL = 20000;
const STREAMS = { out: "stdout", err: "stderr", tty: "terminal" };

// items: any array; makeRow(item) fills an element of class "row".
class VirtualList {
    constructor(label, makeRow, onScroll) {
        this.items = [];
        this.makeRow = makeRow;
        this.onScroll = onScroll;
        this.current = -1;
        this.rows = el("div", { class: "rows" });
        this.spacer = el("div", { class: "rows-spacer" }, this.rows);
        this.node = el(
            "div",
            { class: "list", tabindex: "0", role: "log", "aria-label": label, "aria-live": "off" },
            this.spacer,
        );
        this.render = () => this.draw();
        this.node.addEventListener("scroll", () => onFrame(this.render));
        new ResizeObserver(() => onFrame(this.render)).observe(this.node);
    }

    setItems(items) {
        this.items = items;
        this.current = -1;
        this.spacer.style.height =
            Math.max(Math.min(items.length * ROW, SCROLL_HEIGHT_MAX), 1) + "px";
        this.draw();
    }

    // Beyond SCROLL_HEIGHT_MAX the scroll bar is a scale: its share of the way is the share of the
    // list.
    get firstRow() {
        const height = Math.min(this.items.length * ROW, SCROLL_HEIGHT_MAX);
        const way = Math.max(height - this.node.clientHeight, 1);
        const rows = Math.max(this.items.length * ROW - this.node.clientHeight, 0) / ROW;
        return Math.min(this.node.scrollTop / way, 1) * rows;
    }

    scrollToRow(row) {
        const height = Math.min(this.items.length * ROW, SCROLL_HEIGHT_MAX);
        const way = Math.max(height - this.node.clientHeight, 1);
        const rows = Math.max(this.items.length - this.node.clientHeight / ROW, 1e-9);
        this.node.scrollTop = Math.min(Math.max(row / rows, 0), 1) * way;
    }

    visible() {
        const first = this.firstRow;
        return [
            Math.floor(first),
            Math.min(this.items.length, Math.ceil(first + this.node.clientHeight / ROW)),
        ];
    }

    setCurrent(index, follow) {
        if (this.current === index && !follow) {
            return;
        }
        this.current = index;
        if (follow && index >= 0) {
            const seen = this.node.clientHeight / ROW;
            const first = this.firstRow;
            if (index < first + 1 || index > first + seen - 2) {
                this.scrollToRow(index - seen * 0.4);
            }
        }
        onFrame(this.render);
    }

    draw() {
        const first = this.firstRow;
        const from = Math.max(0, Math.floor(first) - SPARE_ROWS);
        const to = Math.min(
            this.items.length,
            Math.ceil(first + this.node.clientHeight / ROW) + SPARE_ROWS,
        );
        const nodes = [];
        for (let i = from; i < to; i++) {
            const row = this.makeRow(this.items[i]);
            row.dataset.at = i;
            row.classList.toggle("current", i === this.current);
            nodes.push(row);
        }
        this.rows.replaceChildren(...nodes);
        this.rows.style.transform =
            "translateY(" + (this.node.scrollTop - (first - from) * ROW) + "px)";
        this.onScroll();
    }

    indexOf(event) {
        const row = event.target.closest(".row");
        return row ? Number(row.dataset.at) : -1;
    }
}

// Marks the matches of a search inside runs, keeping their styles.
export function splitMatches(runs, ranges) {
    const result = [];
    let offset = 0;
    let next = 0;
    for (const run of runs) {
        let at = 0;
        while (at < run.text.length) {
            while (next < ranges.length && ranges[next][1] <= offset + at) {
                next++;
            }
            const range = ranges[next];
            const inside = range !== undefined && range[0] <= offset + at;
            const stop =
                range === undefined
                    ? run.text.length
                    : Math.min(run.text.length, (inside ? range[1] : range[0]) - offset);
            result.push({ ...run, text: run.text.slice(at, stop), match: inside });
            at = stop;
        }
        offset += run.text.length;
    }
    return result;
}

export function findAll(text, query) {
    const ranges = [];
    if (query !== "") {
        const lower = text.toLowerCase();
        for (
            let at = lower.indexOf(query);
            at >= 0 && ranges.length < 200;
            at = lower.indexOf(query, at + query.length)
        ) {
            ranges.push([at, at + query.length]);
        }
    }
    return ranges;
}

function searchable(line) {
    if (line.searchable === undefined) {
        line.searchable = stripEscapes(line.text).toLowerCase();
    }
    return line.searchable;
}

export class LogPanel {
    constructor(model, view) {
        this.view = view;
        this.model = model;
        this.lines = model.output.lines;
        this.query = "";
        this.stream = "all";
        this.onlyRange = false;
        this.follow = true;
        this.allEvents = !model.events.some((event) => !event.lifecycle);
        this.tab = this.lines.length > 0 || model.events.length === 0 ? "output" : "events";
        this.onShown = () => {};
        this.carryStyles();
        this.colors = new Map();
        theme.onChange(() => {
            this.colors = new Map();
            onFrame(this.list.render);
        });
        this.build();
        this.filter();
        view.on("cursor", (source) => this.onCursor(source));
        view.on("range", () => {
            if (this.onlyRange) {
                onFrame(this.refilter);
            }
        });
    }

    // A colour that a line leaves switched on colours the next line of the same stream.
    carryStyles() {
        const style = { out: PLAIN_STYLE, err: PLAIN_STYLE, tty: PLAIN_STYLE };
        for (const line of this.lines) {
            line.style = style[line.stream];
            if (!line.binary) {
                style[line.stream] = styleAfter(line.text, line.style);
            }
        }
    }

    build() {
        this.refilter = () => this.filter();
        this.list = new VirtualList(
            "Output",
            (line) => this.makeLine(line),
            () => this.tellShown(),
        );
        this.events = new VirtualList(
            "Events",
            (event) => this.makeEvent(event),
            () => {},
        );
        this.count = el("span", { class: "muted found", role: "status" });
        this.detail = el("div", { class: "line-detail", hidden: true, tabindex: "0" });
        this.search = el("input", {
            type: "search",
            placeholder: "Search",
            "aria-label": "Search the list",
            spellcheck: "false",
            autocomplete: "off",
            oninput: (event) => {
                this.query = event.target.value.toLowerCase();
                onFrame(this.refilter);
            },
        });
        const check = (label, title, checked, onChange) => {
            const input = el("input", {
                type: "checkbox",
                checked,
                onchange: () => onChange(input.checked),
            });
            return el("label", { class: "check", title }, input, label);
        };
        const counts = Object.keys(STREAMS)
            .map((stream) => [stream, this.lines.filter((line) => line.stream === stream).length])
            .filter(([, count]) => count > 0);
        this.hasChoice = counts.length > 1;
        this.streams = choice(
            "Stream",
            [
                ["all", "All"],
                ...counts.map(([stream, count]) => [
                    stream,
                    [STREAMS[stream], el("span", { class: "count" }, " " + formatCount(count))],
                ]),
            ],
            "all",
            (value) => {
                this.stream = value;
                this.filter();
            },
        );
        this.kinds = check(
            "Process events",
            "Also start, exec and exit of every process",
            this.allEvents,
            (value) => {
                this.allEvents = value;
                this.filter();
            },
        );
        const tabs = choice(
            "List",
            [
                ["output", "Output"],
                ["events", "Events " + formatCount(this.model.events.length)],
            ],
            this.tab,
            (value) => {
                this.tab = value;
                this.filter();
            },
        );
        tabs.classList.add("tabs");
        this.tabs = tabs;
        this.save = button("Save", {
            title: "Save the lines shown as a text file",
            onclick: () => this.saveLines(),
        });
        const { omitted } = this.model.output;
        const gone =
            omitted.lines > 0 || omitted.bytes > 0 || omitted.note !== ""
                ? el("p", { class: "note" }, this.omittedText(omitted))
                : null;
        for (const list of [this.list, this.events]) {
            list.node.addEventListener("pointermove", (event) => this.hover(list, event));
            list.node.addEventListener("pointerleave", () => this.view.hover(null, this));
            list.node.addEventListener("click", (event) => this.pick(list, event));
            list.node.addEventListener("keydown", (event) => this.key(list, event));
        }
        this.empty = el("p", { class: "muted empty", hidden: true });
        this.node = el(
            "section",
            {
                class:
                    "card log" +
                    (this.lines.length + this.model.events.length === 0 ? " log-empty" : ""),
                "aria-label": "Output and events",
            },
            el("div", { class: "bar" }, tabs, this.search, this.count, this.save),
            el(
                "div",
                { class: "bar bar-small" },
                this.streams,
                this.kinds,
                check("Follow", "Scroll to the time under the cursor", true, (value) => {
                    this.follow = value;
                }),
                check("In range", "Only what lies in the zoomed range of time", false, (value) => {
                    this.onlyRange = value;
                    this.filter();
                }),
            ),
            gone,
            el("div", { class: "lists" }, this.list.node, this.events.node, this.empty),
            this.detail,
        );
    }

    omittedText(omitted) {
        const parts = [];
        if (omitted.lines > 0 || omitted.bytes > 0) {
            parts.push(
                (omitted.lines > 0 ? plural(omitted.lines, "line") : "Some output") +
                    (omitted.bytes > 0 ? " (" + formatBytes(omitted.bytes) + ")" : "") +
                    " left out of this page.",
            );
        }
        return [...parts, omitted.note].filter((part) => part !== "").join(" ");
    }

    filter() {
        const isOutput = this.tab === "output";
        const all = isOutput ? this.lines : this.model.events;
        const { t0, t1 } = this.view;
        const found = all.filter((item) => {
            if (this.onlyRange && (item.t_ms < t0 || item.t_ms > t1)) {
                return false;
            }
            if (isOutput) {
                return (
                    (this.stream === "all" || item.stream === this.stream) &&
                    (this.query === "" || searchable(item).includes(this.query))
                );
            }
            return (
                (this.allEvents || !item.lifecycle) &&
                (this.query === "" ||
                    (item.kind + " " + item.text).toLowerCase().includes(this.query))
            );
        });
        this.streams.hidden = !isOutput || !this.hasChoice;
        this.kinds.hidden = isOutput;
        this.save.hidden = !isOutput;
        this.list.node.hidden = !isOutput;
        this.events.node.hidden = isOutput;
        this.detail.hidden = true;
        this.count.textContent =
            found.length === all.length
                ? plural(all.length, isOutput ? "line" : "event")
                : formatCount(found.length) + " of " + formatCount(all.length);
        this.empty.hidden = found.length > 0;
        this.empty.textContent =
            all.length > 0
                ? "Nothing matches."
                : isOutput
                  ? "The command printed nothing."
                  : "No events were recorded.";
        this.active.setItems(found);
        this.onCursor(null);
    }

    get active() {
        return this.tab === "output" ? this.list : this.events;
    }

    tellShown() {
        const [from, to] = this.list.visible();
        const { items } = this.list;
        this.onShown(to > from ? [items[from].t_ms, items[to - 1].t_ms] : null);
    }

    // ---- rows ----

    textNodes(runs) {
        return runs.map((run) => {
            if (run.style === PLAIN_STYLE && !run.odd && !run.match) {
                return document.createTextNode(run.text);
            }
            const span = el(
                run.match ? "mark" : "span",
                { class: run.odd ? "odd" : null },
                run.text,
            );
            if (!run.match) {
                this.applyStyle(span, run.style);
            }
            return span;
        });
    }

    colorOf(value, background) {
        const key = value + "/" + background;
        if (!this.colors.has(key)) {
            const color = typeof value === "number" ? theme.color("ansi-" + value) : value;
            this.colors.set(key, background === null ? color : readable(color, background));
        }
        return this.colors.get(key);
    }

    applyStyle(span, style) {
        const paper = theme.color("log");
        let { fg, bg } = style;
        if (style.inverse) {
            [fg, bg] = [bg === null ? paper : bg, fg === null ? theme.color("text") : fg];
        }
        if (bg !== null) {
            const color = this.colorOf(bg, null);
            span.style.background = color;
            span.style.color = this.colorOf(fg === null ? theme.color("text") : fg, color);
        } else if (fg !== null) {
            span.style.color = this.colorOf(fg, paper);
        }
        const set = (property, value, on) => {
            if (on) {
                span.style[property] = value;
            }
        };
        set("fontWeight", "600", style.bold);
        set("fontStyle", "italic", style.italic);
        set("color", "var(--muted)", style.dim && fg === null && bg === null);
        set(
            "textDecoration",
            [style.underline ? "underline" : "", style.strike ? "line-through" : ""]
                .join(" ")
                .trim(),
            style.underline || style.strike,
        );
    }

    runsOf(line, max) {
        if (line.binary) {
            return parseRuns(clip(line.text, max), PLAIN_STYLE);
        }
        const shown = settle(line.text);
        const whole = line.text.replace(/\r+$/, "");
        const style = styleAfter(whole.slice(0, whole.length - shown.length), line.style);
        return parseRuns(clip(shown, max), style);
    }

    makeLine(line) {
        const runs = this.runsOf(line, LINE_SHOWN);
        const ranges = findAll(runs.map((run) => run.text).join(""), this.query);
        const tags = [
            line.binary ? el("span", { class: "tag" }, "binary") : null,
            line.partial
                ? el(
                      "span",
                      { class: "tag", title: "The output ended here without a newline" },
                      "no newline",
                  )
                : null,
        ];
        return el(
            "div",
            { class: "row" + (line.stream === "err" ? " err" : "") },
            el("span", { class: "row-time" }, this.view.label(line.t_ms)),
            el("span", { class: "row-stream", title: STREAMS[line.stream] }, line.stream),
            el("span", { class: "row-text" }, this.textNodes(splitMatches(runs, ranges)), tags),
        );
    }

    makeEvent(event) {
        const text =
            (event.text === "" ? "" : clip(event.text, LINE_SHOWN)) +
            (event.end_ms === null ? "" : " (" + formatDuration(event.end_ms - event.t_ms) + ")");
        const kind = el("span", { class: "kind" }, event.kind);
        kind.style.color = "var(--" + event.tone + "-text)";
        return el(
            "div",
            { class: "row" },
            el("span", { class: "row-time" }, this.view.label(event.t_ms)),
            kind,
            el(
                "span",
                { class: "row-text" },
                text,
                event.pid === null ? null : el("span", { class: "tag" }, "pid " + event.pid),
            ),
        );
    }

    // ---- hands ----

    hover(list, event) {
        const at = list.indexOf(event);
        if (at >= 0 && event.pointerType !== "touch") {
            this.view.hover(list.items[at].t_ms, this);
        }
    }

    pick(list, event) {
        const at = list.indexOf(event);
        if (at >= 0 && String(window.getSelection()) === "") {
            this.choose(list, at);
        }
    }

    choose(list, at) {
        const item = list.items[at];
        this.view.reveal(item.t_ms, item.t_ms);
        this.view.pin(item.t_ms, this);
        list.setCurrent(at, true);
        this.showDetail(item);
    }

    key(list, event) {
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }[event.key];
        if (step !== undefined && list.items.length > 0) {
            const from =
                list.current >= 0 ? list.current : list.visible()[0] - (step > 0 ? step : 0);
            this.choose(list, Math.min(Math.max(from + step, 0), list.items.length - 1));
            event.preventDefault();
        } else if (event.key === "Escape") {
            this.detail.hidden = true;
            this.view.pin(null, this);
        }
    }

    showDetail(item) {
        const isLine = this.tab === "output";
        const close = button("Close", {
            onclick: () => {
                this.detail.hidden = true;
            },
        });
        const head = [el("strong", {}, this.view.label(item.t_ms))];
        if (isLine) {
            head.push(
                " ",
                STREAMS[item.stream],
                ", line " + formatCount(item.index + 1),
                item.text.length > LINE_DETAIL
                    ? ", the first " +
                          formatCount(LINE_DETAIL) +
                          " of " +
                          formatCount(item.text.length) +
                          " characters"
                    : "",
            );
        } else {
            head.push(" ", item.kind);
        }
        const text = isLine
            ? this.textNodes(
                  parseRuns(
                      clip(item.text, LINE_DETAIL),
                      item.binary ? PLAIN_STYLE : item.style,
                  ).map((run) => ({ ...run, match: false })),
              )
            : [plain(clip(item.text, LINE_DETAIL))];
        this.detail.replaceChildren(
            el("div", { class: "detail-head" }, el("span", {}, head), close),
            el("pre", {}, text),
        );
        this.detail.hidden = false;
    }

    onCursor(source) {
        const { cursor } = this.view;
        const list = this.active;
        if (source === this) {
            return;
        }
        if (cursor === null) {
            list.setCurrent(-1, false);
            return;
        }
        list.setCurrent(upperBound(list.items, cursor, (item) => item.t_ms) - 1, this.follow);
    }

    // Shows an event in the list of events.
    goTo(event) {
        if (this.tab !== "events") {
            this.tabs.lastChild.click();
        }
        const at = this.events.items.indexOf(event);
        if (at >= 0) {
            this.choose(this.events, at);
        }
    }

    saveLines() {
        const text = this.list.items.map((line) => line.text + "\n");
        saveAs(
            (this.model.flight.id || "flight").replace(/[^\w.-]+/g, "_") + ".log",
            text,
            "text/plain;charset=utf-8",
        );
    }

    // For paper: the end of the output, without scrolling.
    tail(count) {
        return this.lines.slice(-count).map((line) => this.makeLine(line));
    }
}
