import assert from "node:assert/strict";
import { test } from "node:test";
import {
    PLAIN_STYLE,
    applySgr,
    parseRuns,
    settle,
    stripEscapes,
    styleAfter,
} from "../src/js/ansi.js";

const look = (style) =>
    Object.fromEntries(Object.entries(style).filter(([key, value]) => value !== PLAIN_STYLE[key]));
const runs = (text, style = PLAIN_STYLE) =>
    parseRuns(text, style).map((run) => [run.text, look(run.style), run.odd]);

test("colours and weights", () => {
    assert.deepEqual(runs("a\u001b[1;31mb\u001b[22mc\u001b[0md"), [
        ["a", {}, false],
        ["b", { fg: 1, bold: true }, false],
        ["c", { fg: 1 }, false],
        ["d", {}, false],
    ]);
    assert.deepEqual(look(applySgr(PLAIN_STYLE, "97;104")), { fg: 15, bg: 12 });
    assert.deepEqual(look(applySgr(PLAIN_STYLE, "38;5;196;4")), { fg: "#ff0000", underline: true });
    assert.deepEqual(look(applySgr(PLAIN_STYLE, "48;5;232;38;5;3")), { bg: "#080808", fg: 3 });
    assert.deepEqual(look(applySgr(PLAIN_STYLE, "38;2;1;2;300")), { fg: "#0102ff" });
    assert.deepEqual(look(applySgr(PLAIN_STYLE, "38:2::1:2:3")), { fg: "#010203" });
    assert.deepEqual(look(applySgr(PLAIN_STYLE, "38:2:1:2:3")), { fg: "#010203" });
    assert.equal(applySgr(applySgr(PLAIN_STYLE, "1;31"), ""), PLAIN_STYLE);
});

test("broken colours change nothing", () => {
    for (const codes of ["38;5;9999", "38;2;1", "38", "48;9", "999", ";;;", "38;5;-1"]) {
        assert.deepEqual(look(applySgr(PLAIN_STYLE, codes)), {});
    }
});

test("other sequences are dropped, also unfinished ones", () => {
    for (const text of [
        "\u001b[2Kx",
        "\u001b]0;title\u0007x",
        "\u001b]8;;javascript:alert(1)\u001b\\x",
        "\u001b(Bx",
        "\u001b7x",
        "\u001b[?25lx",
        "x\u001b[38;5",
        "x\u001b",
        "x\u001b]0;never ends",
        "\u001bP1$q\u001b\\x",
        "\u009b31mx",
        "\u001b[>4;2mx",
    ]) {
        assert.equal(stripEscapes(text), "x", JSON.stringify(text));
    }
});

test("control characters show, tabs stay", () => {
    assert.deepEqual(runs("a\u0000\tb\u202e"), [
        ["a", {}, false],
        ["\u2400", {}, true],
        ["\t", {}, false],
        ["b", {}, false],
        ["\u27e8U+202E\u27e9", {}, true],
    ]);
});

test("a style goes on into the next line", () => {
    const after = styleAfter("\u001b[32mgreen", PLAIN_STYLE);
    assert.deepEqual(runs("still", after), [["still", { fg: 2 }, false]]);
    assert.equal(styleAfter("no escapes", after), after);
});

test("a line that rewrites itself settles", () => {
    assert.equal(settle("10%\r50%\r100%"), "100%");
    assert.equal(settle("dos line\r"), "dos line");
    assert.equal(settle("plain"), "plain");
});

test("an input made of beginnings ends", () => {
    for (const piece of ["\u001b[", "\u001b]", "[;", "\u001b[38;5;", "\r\u001b"]) {
        assert.ok(Array.isArray(parseRuns(piece.repeat(20000), PLAIN_STYLE)));
    }
});
