// Makes one HTML page of src/ and uPlot: node build.mjs [--out report.html] [--c template.c]
//
// No bundler: each module becomes a function that returns its exports, in the order of the imports.
// The result holds the marker @DATA@ once, where the flight's JSON goes; --c writes what stands
// before and behind it as two byte arrays.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const MARKER = "@DATA@";
const SIZE_MAX = 200 * 1024;

function fail(text) {
    process.stderr.write("web/build.mjs: " + text + "\n");
    process.exit(1);
}

function read(path) {
    if (!existsSync(path)) {
        fail(path + " is missing; `npm ci` in web/ installs what the page needs");
    }
    return readFileSync(path, "utf8");
}

// Modules below `name`, dependencies first.
function collect(name, seen, ordered) {
    if (seen.has(name)) {
        return ordered;
    }
    seen.add(name);
    const text = read(join(source, "js", name));
    for (const [, dependency] of text.matchAll(/^import\s[^;]*?from "\.\/([\w.-]+)";$/gm)) {
        collect(dependency, seen, ordered);
    }
    ordered.push({ name, text });
    return ordered;
}

function bundle(entry) {
    const parts = collect(entry, new Set(), []).map(({ name, text }) => {
        const exported = [
            ...text.matchAll(/^export (?:async )?(?:function|const|let|class) (\w+)/gm),
        ].map((match) => match[1]);
        const body = text
            .replace(
                /^import (\{[^}]*\}) from "\.\/([\w.-]+)";$/gm,
                (match, names, from) => "const " + names + " = " + variable(from) + ";",
            )
            .replace(/^export (?=(?:async )?(?:function|const|let|class) )/gm, "");
        if (/^(import|export)\b/m.test(body)) {
            fail(name + ": a form of import or export that this build does not know");
        }
        return (
            "const " +
            variable(name) +
            " = (() => {\n" +
            body +
            "\nreturn { " +
            exported.join(", ") +
            " };\n})();\n"
        );
    });
    // Comment lines and indentation stay out of the page; no string of ours spans lines.
    const code = parts
        .join("")
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "" && !line.startsWith("//"));
    return '(() => {\n"use strict";\n' + code.join("\n") + "\n})();";
}

function variable(name) {
    return "module_" + name.replace(/\.js$/, "").replace(/\W/g, "_");
}

function inlineScript(text, name) {
    if (/<\/script|<!--/i.test(text)) {
        fail(name + " holds text that would end its script element");
    }
    new Script(text, { filename: name });
    return text;
}

function hash(text) {
    return "'sha256-" + createHash("sha256").update(text).digest("base64") + "'";
}

function minifyCss(text) {
    return text
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/\s*\n\s*/g, "\n")
        .replace(/: (?=\S)/g, ":")
        .replace(/\s*([{};,])\s*/g, "$1")
        .trim();
}

function page() {
    const uplotDirectory = join(here, "node_modules", "uplot");
    const dark = read(join(source, "dark.css"));
    const uplotCss = read(join(uplotDirectory, "dist", "uPlot.min.css"));
    const style = minifyCss(
        uplotCss + read(join(source, "style.css")).replaceAll("--dark-theme: here;", () => dark),
    );
    const licence = read(join(uplotDirectory, "LICENSE"))
        .trim()
        .split("\n")
        .find((line) => /^Copyright/.test(line));
    const uplot = inlineScript(
        "/*! uPlot, MIT licence, " +
            licence +
            " */" +
            read(join(uplotDirectory, "dist", "uPlot.iife.min.js")).trim(),
        "uPlot",
    );
    const script = inlineScript(bundle("main.js"), "report.js");
    const csp =
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; script-src " +
        hash(uplot) +
        " " +
        hash(script) +
        "; style-src " +
        hash(style);
    const values = { CSP: csp, STYLE: style, UPLOT: uplot, SCRIPT: script };
    const html = read(join(source, "page.html")).replace(
        /\{\{(\w+)\}\}/g,
        (match, name) => values[name] ?? fail("no value for " + match),
    );
    if (html.split(MARKER).length !== 2) {
        fail("the page must hold " + MARKER + " exactly once");
    }
    if (Buffer.byteLength(html) > SIZE_MAX) {
        fail("the page has " + Buffer.byteLength(html) + " bytes, more than " + SIZE_MAX);
    }
    return html;
}

function array(name, text) {
    const bytes = Buffer.from(text, "utf8");
    const lines = [];
    for (let at = 0; at < bytes.length; at += 24) {
        lines.push("    " + [...bytes.subarray(at, at + 24)].join(","));
    }
    return (
        "const unsigned char " +
        name +
        "[] = {\n" +
        lines.join(",\n") +
        ",\n    0};\n" +
        "const size_t " +
        name +
        "_length = " +
        bytes.length +
        ";\n"
    );
}

function write(path, text) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
}

const options = new Map();
for (let i = 2; i < process.argv.length; i += 2) {
    if (!["--out", "--c"].includes(process.argv[i]) || process.argv[i + 1] === undefined) {
        fail("usage: node build.mjs [--out report.html] [--c template.c]");
    }
    options.set(process.argv[i], process.argv[i + 1]);
}
const html = page();
if (options.has("--out")) {
    write(options.get("--out"), html);
}
if (options.has("--c")) {
    const [head, tail] = html.split(MARKER);
    write(
        options.get("--c"),
        '/* Made by web/build.mjs from web/src. */\n#include "web/report_template.h"\n\n' +
            array("mf_report_template_head", head) +
            "\n" +
            array("mf_report_template_tail", tail),
    );
}
