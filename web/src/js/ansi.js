// Terminal output into styled runs of text. Only SGR (colours, weight) is honoured; every other
// escape sequence is dropped, as are cursor movements: a log has no screen. Nothing here makes
// markup: the caller puts each run into a text node.
//
// A style is an immutable object shared between runs: {fg, bg, bold, dim, italic, underline,
// strike, inverse}. Colours are null, 0..15 (the theme's palette) or "#rrggbb".
import { reveal, unsafePattern } from "./format.js";

export const PLAIN_STYLE = Object.freeze({
    fg: null,
    bg: null,
    bold: false,
    dim: false,
    italic: false,
    underline: false,
    strike: false,
    inverse: false,
});

// CSI, OSC/DCS/SOS/PM/APC up to BEL or ST, two-byte and charset escapes. A sequence cut off by the
// end of the line swallows the rest of it, as a terminal would.
const ESCAPES = new RegExp(
    "(?:\\u001b\\[|\\u009b)([0-?]*)[ -/]*([@-~]|$)" +
        "|\\u001b[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\|$)" +
        "|\\u001b[ -/]+(?:[0-~]|$)" +
        "|\\u001b(?:[0-~]|$)",
    "g",
);
const FLAGS = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const CLEARS = {
    22: ["bold", "dim"],
    23: ["italic"],
    24: ["underline"],
    27: ["inverse"],
    29: ["strike"],
};

function hex(value) {
    return Math.min(255, value).toString(16).padStart(2, "0");
}

function indexed(index) {
    if (index < 16) {
        return index;
    }
    if (index >= 232) {
        const grey = hex(8 + 10 * (index - 232));
        return "#" + grey + grey + grey;
    }
    const level = (value) => hex(value === 0 ? 0 : 55 + 40 * value);
    const cube = index - 16;
    return "#" + level(Math.floor(cube / 36)) + level(Math.floor(cube / 6) % 6) + level(cube % 6);
}

// 38 and 48 take their colour from the parameters behind them, split by ";" or ":".
function extended(codes, at) {
    if (codes[at + 1] === 5 && codes[at + 2] >= 0 && codes[at + 2] <= 255) {
        return { colour: indexed(codes[at + 2]), used: 2 };
    }
    if (codes[at + 1] === 2 && codes.length > at + 4) {
        return {
            colour: "#" + hex(codes[at + 2]) + hex(codes[at + 3]) + hex(codes[at + 4]),
            used: 4,
        };
    }
    return { colour: null, used: codes.length - at };
}

export function applySgr(style, parameters) {
    let next = style;
    const set = (change) => {
        next = Object.freeze({ ...next, ...change });
    };
    // "38:2::r:g:b" carries an empty colour space that the ";" form does not have.
    const codes = parameters
        .replace(/([34]8:2):\d*:(\d+:\d+:\d+)/g, "$1:$2")
        .split(/[;:]/)
        .map(Number);
    for (let at = 0; at < codes.length; at++) {
        const code = codes[at];
        if (code === 0) {
            next = PLAIN_STYLE;
        } else if (FLAGS[code]) {
            set({ [FLAGS[code]]: true });
        } else if (CLEARS[code]) {
            for (const flag of CLEARS[code]) {
                set({ [flag]: false });
            }
        } else if (code >= 30 && code <= 37) {
            set({ fg: code - 30 });
        } else if (code >= 90 && code <= 97) {
            set({ fg: code - 82 });
        } else if (code >= 40 && code <= 47) {
            set({ bg: code - 40 });
        } else if (code >= 100 && code <= 107) {
            set({ bg: code - 92 });
        } else if (code === 39) {
            set({ fg: null });
        } else if (code === 49) {
            set({ bg: null });
        } else if (code === 38 || code === 48) {
            const found = extended(codes, at);
            at += found.used;
            if (found.colour !== null) {
                set(code === 38 ? { fg: found.colour } : { bg: found.colour });
            }
        }
    }
    return next;
}

function walk(text, style, onText) {
    let current = style;
    let at = 0;
    ESCAPES.lastIndex = 0;
    for (let match = ESCAPES.exec(text); match; match = ESCAPES.exec(text)) {
        if (match.index > at) {
            onText(text.slice(at, match.index), current);
        }
        at = match.index + match[0].length;
        if (match[2] === "m" && !/[<-?]/.test(match[1])) {
            current = applySgr(current, match[1]);
        }
        if (match[0] === "") {
            break;
        }
    }
    if (at < text.length) {
        onText(text.slice(at), current);
    }
    return current;
}

export function hasEscapes(text) {
    return text.includes("\u001b") || text.includes("\u009b");
}

// The style in force after `text`, for the line that follows on the same stream.
export function styleAfter(text, style) {
    return hasEscapes(text) ? walk(text, style, () => {}) : style;
}

// The text without escape sequences: what is searched, filtered and saved.
export function stripEscapes(text) {
    if (!hasEscapes(text)) {
        return text;
    }
    let out = "";
    walk(text, PLAIN_STYLE, (run) => {
        out += run;
    });
    return out;
}

// What a terminal would still show of a line that rewrites itself: the part behind the last
// carriage return that has text after it (progress bars).
export function settle(text) {
    const end = text.replace(/\r+$/, "");
    const cut = end.lastIndexOf("\r");
    return cut < 0 ? end : end.slice(cut + 1);
}

// Runs of the line as {text, style, odd}: `odd` marks revealed control characters.
export function parseRuns(text, style) {
    const runs = [];
    const push = (part, runStyle, odd) => {
        if (part !== "") {
            runs.push({ text: part, style: runStyle, odd });
        }
    };
    walk(text, style, (part, runStyle) => {
        const unsafe = unsafePattern();
        let at = 0;
        for (let match = unsafe.exec(part); match; match = unsafe.exec(part)) {
            push(part.slice(at, match.index), runStyle, false);
            if (match[0] === "\t") {
                push("\t", runStyle, false);
            } else {
                push(reveal(match[0]), runStyle, true);
            }
            at = match.index + 1;
        }
        push(part.slice(at), runStyle, false);
    });
    return runs;
}
