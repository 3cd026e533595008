import assert from "node:assert/strict";
import { test } from "node:test";
import * as f from "../src/js/format.js";

const words = (text) => text.replace(/\u00a0/g, " ");

test("bytes use binary units and keep three figures", () => {
    const cases = [
        [0, "0 B"],
        [999, "999 B"],
        [1024, "1 KiB"],
        [1536, "1.5 KiB"],
        [1048576 * 354, "354 MiB"],
        [1023.9 * 1048576, "1 GiB"],
        [-2048, "\u22122 KiB"],
        [2 ** 63, "8 EiB"],
        [null, "\u2013"],
    ];
    for (const [value, text] of cases) {
        assert.equal(words(f.formatBytes(value)), text);
    }
});

test("durations change their unit without a jump", () => {
    const cases = [
        [0, "0 ms"],
        [0.42, "0.42 ms"],
        [9.94, "9.9 ms"],
        [812.4, "812 ms"],
        [999.6, "1.00 s"],
        [12430, "12.43 s"],
        [59994, "59.99 s"],
        [59996, "1 min 00.0 s"],
        [62400, "1 min 02.4 s"],
        [3599999, "1 h 00 min"],
        [7500000, "2 h 05 min"],
        [86400000 * 3 + 3600000 * 4, "3 d 4 h"],
        [-5, "\u22125 ms"],
        [null, "\u2013"],
    ];
    for (const [value, text] of cases) {
        assert.equal(words(f.formatDuration(value)), text);
    }
});

test("times of one axis share one form, as fine as the step", () => {
    const cases = [
        [0, 1, 500, "0 ms"],
        [0.25, 0.01, 1.4, "0.25 ms"],
        [1234, 100, 20000, "1.2 s"],
        [1234, 1, 20000, "1.234 s"],
        [61200, 100, 90000, "1:01.2"],
        [59999.9, 1000, 90000, "1:00"],
        [3661000, 1000, 4000000, "1:01:01"],
        [5000, 1000, 4000000, "0:00:05"],
    ];
    for (const [t, step, end, text] of cases) {
        assert.equal(words(f.formatTime(t, step, end)), text);
    }
});

test("values by unit", () => {
    const cases = [
        [1.756, "cores", "1.76"],
        [1048576, "bytes_per_second", "1 MiB/s"],
        [1234567, "count", "1,234,567"],
        [12.34, "percent", "12.3 %"],
        [0.5, "ratio", "50 %"],
        [158670, "per_second", "159k/s"],
        [1550, "per_second", "1,550/s"],
        [3, "widgets_per_second", "3 widgets/s"],
        [1e300, "cores", "1.00e+300"],
        [null, "cores", "\u2013"],
    ];
    for (const [value, unit, text] of cases) {
        assert.equal(words(f.formatValue(value, unit)), text);
    }
});

test("a wall time that is no date is not shown as one", () => {
    assert.equal(f.formatWall(1741947302123).utc, "2025-03-14 10:15:02 UTC");
    assert.equal(f.formatWall(1e300).utc, "\u2013");
    assert.equal(f.formatWall(null).utc, "\u2013");
});

test("invisible and directional characters become visible", () => {
    assert.equal(
        f.plain("a\u0000b\u001b\u007f\u202eg\u200b\ufeff"),
        "a\u2400b\u241b\u2421\u27e8U+202E\u27e9g\u27e8U+200B\u27e9\u27e8U+FEFF\u27e9",
    );
    assert.equal(
        f.plain("plain \u05e9\u05dc \ud83d\ude00 <b>"),
        "plain \u05e9\u05dc \ud83d\ude00 <b>",
    );
});

test("a command line can be typed again", () => {
    assert.equal(
        f.shellJoin(["make", "-j2", "CFLAGS=-O2 -g", "it's", ""]),
        "make -j2 'CFLAGS=-O2 -g' 'it'\\''s' ''",
    );
});
