// The only makers of elements. Names of tags and attributes are the page's own; what comes from the
// flight becomes text nodes or plain attribute values, never markup.
export function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false) {
            continue;
        }
        if (key.startsWith("on")) {
            node.addEventListener(key.slice(2), value);
        } else {
            node.setAttribute(key, value === true ? "" : String(value));
        }
    }
    node.append(
        ...children
            .flat()
            .filter((child) => child !== null && child !== undefined && child !== false),
    );
    return node;
}

// Work on the screen is done once per frame, however often it was asked for.
const waiting = new Set();
let scheduled = false;

export function onFrame(work) {
    waiting.add(work);
    if (!scheduled) {
        scheduled = true;
        requestAnimationFrame(() => {
            scheduled = false;
            const works = [...waiting];
            waiting.clear();
            for (const one of works) {
                one();
            }
        });
    }
}

// A canvas drawn in CSS pixels, sharp at any device pixel ratio.
export class Surface {
    constructor(className) {
        this.canvas = el("canvas", { class: className, "aria-hidden": "true" });
        this.ctx = this.canvas.getContext("2d");
        this.width = 0;
        this.height = 0;
    }

    begin(width, height) {
        const ratio = window.devicePixelRatio || 1;
        const deviceWidth = Math.max(1, Math.round(width * ratio));
        const deviceHeight = Math.max(1, Math.round(height * ratio));
        if (this.canvas.width !== deviceWidth || this.canvas.height !== deviceHeight) {
            this.canvas.width = deviceWidth;
            this.canvas.height = deviceHeight;
            this.canvas.style.width = width + "px";
            this.canvas.style.height = height + "px";
        }
        this.width = width;
        this.height = height;
        this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
        this.ctx.clearRect(0, 0, width, height);
        return this.ctx;
    }
}

// One tooltip for the page; rows are [label, text] or a single text.
export class Tip {
    constructor() {
        this.node = el("div", { class: "tip", role: "presentation", hidden: true });
        document.body.append(this.node);
    }

    show(x, y, title, rows) {
        this.node.replaceChildren(
            el("div", { class: "tip-title" }, title),
            ...rows.map((row) =>
                Array.isArray(row)
                    ? el(
                          "div",
                          { class: "tip-row" },
                          el("span", { class: "tip-key" }, row[0]),
                          el("span", {}, row[1]),
                      )
                    : el("div", { class: "tip-text" }, row),
            ),
        );
        this.node.hidden = false;
        const box = this.node.getBoundingClientRect();
        const left = x + 14 + box.width > window.innerWidth - 8 ? x - 14 - box.width : x + 14;
        const top = y + 16 + box.height > window.innerHeight - 8 ? y - 16 - box.height : y + 16;
        this.node.style.left = Math.max(8, left) + "px";
        this.node.style.top = Math.max(8, top) + "px";
    }

    hide() {
        this.node.hidden = true;
    }
}

export function button(label, attributes) {
    return el("button", { type: "button", ...attributes }, label);
}

// A row of exclusive choices. onPick gets the value.
export function choice(name, options, current, onPick) {
    const buttons = options.map(([value, label]) =>
        button(label, {
            "aria-pressed": value === current ? "true" : "false",
            onclick: () => {
                for (const other of buttons) {
                    other.setAttribute(
                        "aria-pressed",
                        other === buttons[options.findIndex((o) => o[0] === value)]
                            ? "true"
                            : "false",
                    );
                }
                onPick(value);
            },
        }),
    );
    return el("span", { class: "choice", role: "group", "aria-label": name }, buttons);
}

export function saveAs(fileName, parts, type) {
    const url = URL.createObjectURL(new Blob(parts, { type }));
    const link = el("a", { href: url, download: fileName });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}
