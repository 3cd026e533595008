// Text and marks can be read: WCAG AA, in both themes, computed from the style sheet itself.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { contrast, readable } from "../src/js/theme.js";

const read = (name) => readFileSync(new URL("../src/" + name, import.meta.url), "utf8");
const variables = (text) =>
    Object.fromEntries(
        [...text.matchAll(/--([\w-]+): (#[0-9a-f]{6})\b/g)].map((match) => [match[1], match[2]]),
    );
const light = variables(read("style.css").split("}")[0]);
const themes = { light, dark: { ...light, ...variables(read("dark.css")) } };

test("both themes define the same colours", () => {
    assert.deepEqual(Object.keys(variables(read("dark.css"))).sort(), Object.keys(light).sort());
});

for (const [name, colors] of Object.entries(themes)) {
    test("text has a contrast of 4.5 (" + name + ")", () => {
        const pairs = [];
        for (const paper of ["card", "page", "log", "well"]) {
            pairs.push(["text", paper], ["muted", paper], ["accent-text", paper]);
        }
        for (const tone of ["ok", "failed", "signal", "unknown"]) {
            pairs.push(
                [tone + "-text", "card"],
                [tone + "-text", "log"],
                [tone + "-text", tone + "-soft"],
            );
        }
        pairs.push(
            ["text", "chosen"],
            ["accent-text", "chosen"],
            ["muted", "chosen"],
            ["card", "accent"],
        );
        for (let i = 0; i < 16; i++) {
            pairs.push(["ansi-" + i, "log"]);
        }
        for (const [text, paper] of pairs) {
            assert.ok(
                contrast(colors[text], colors[paper]) >= 4.5,
                text + " on " + paper + ": " + contrast(colors[text], colors[paper]).toFixed(2),
            );
        }
    });
    test("lines and bars have a contrast of 3 (" + name + ")", () => {
        for (const mark of [
            "s1",
            "s2",
            "s3",
            "s4",
            "s5",
            "s6",
            "s7",
            "s8",
            "ok",
            "failed",
            "signal",
            "unknown",
            "accent",
            "side-a",
            "side-b",
            "stdout",
        ]) {
            assert.ok(
                contrast(colors[mark], colors.card) >= 3,
                mark + ": " + contrast(colors[mark], colors.card).toFixed(2),
            );
        }
    });
}

test("any colour of the terminal can be read on any other", () => {
    for (const paper of ["#ffffff", "#000000", "#15191e", "#808080", "#ff0000", "#00ff00"]) {
        for (const color of ["#ffffff", "#000000", "#ffff00", "#0000ff", "#808080", "#123456"]) {
            assert.ok(contrast(readable(color, paper), paper) >= 4.5, color + " on " + paper);
        }
    }
});
