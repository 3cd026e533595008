// The page in a real browser: node e2e.mjs CHROMIUM REPORT.HTML DIRECTORY [SCREENSHOTS]
// Every sample is loaded, looked at as a reader would, and must neither complain nor ask for
// anything. Functions given to browser.call() run in the page.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.mjs";
import { SAMPLES, writeSamples } from "./samples.mjs";

const [, , program, template, directory, screenshots] = process.argv;
const PLOT_LEFT = 62; // AXIS_WIDTH
const LIST = ".list:not([hidden])";
const browser = await Browser.open(program);
let failures = 0;

// Words of the first, or of every element that matches, with ordinary blanks.
const words = (selector) =>
    browser.call(
        (sought) =>
            [...document.querySelectorAll(sought)].map((one) =>
                one.textContent.replace(/\u00a0/g, " "),
            ),
        selector,
    );
const $ = async (selector) => (await words(selector))[0];
const last = async (selector) => (await words(selector)).pop();
const matches = async (selector, pattern) => assert.match(String(await $(selector)), pattern);

const count = (selector) =>
    browser.call(
        (sought) =>
            [...document.querySelectorAll(sought)].filter((one) => one.getClientRects().length > 0)
                .length,
        selector,
    );

async function press(label, within = "body") {
    await browser.call(
        (start, area) =>
            [...document.querySelector(area).querySelectorAll("button")]
                .find((one) => one.textContent.startsWith(start))
                .click(),
        label,
        within,
    );
    await browser.frames();
}

async function type(selector, text) {
    await browser.call(
        (sought, typed) => {
            const node = document.querySelector(sought);
            node.value = typed;
            node.dispatchEvent(new Event("input"));
        },
        selector,
        text,
    );
    await browser.frames();
}

async function scrollToEnd(selector) {
    await browser.call((sought) => {
        document.querySelector(sought).scrollTop = 1e9;
    }, selector);
    await browser.frames();
}

async function clickRow(text) {
    await browser.call(
        (list, sought) =>
            [...document.querySelectorAll(list + " .row")]
                .find((one) => one.textContent.includes(sought))
                .click(),
        LIST,
        text,
    );
    await browser.frames();
}

const focus = (selector) =>
    browser.call((sought) => document.querySelector(sought).focus(), selector);
const scheme = () => browser.call(() => getComputedStyle(document.documentElement).colorScheme);
const pwned = () => browser.call(() => typeof window.pwned);

// Loads a sample; nothing on the console, nothing asked of any network, no element that data could
// have made.
async function open(name) {
    const url = pathToFileURL(join(directory, name + ".html")).href;
    const seen = await browser.load(url);
    assert.deepEqual(seen.console, [], name + " writes to the console");
    const asked = seen.requests.filter((one) => one !== url && !one.startsWith("data:"));
    assert.deepEqual(asked, [], name + " asks for something");
    assert.equal(await browser.call(() => document.scripts.length), 3);
    assert.equal(await count("img, iframe, object, embed, base, a[href]"), 0);
}

async function shot(name) {
    if (screenshots) {
        mkdirSync(screenshots, { recursive: true });
        writeFileSync(join(screenshots, name + ".png"), await browser.screenshot());
    }
}

async function check(title, work) {
    try {
        await browser.size(1440, 1000);
        await browser.media("light");
        await work();
        process.stdout.write("ok " + title + "\n");
    } catch (error) {
        failures++;
        process.stdout.write("FAILED " + title + ": " + error.stack + "\n");
    }
}

writeSamples(template, directory);

await check("typical: head, figures and charts", async () => {
    await open("typical");
    assert.match(await browser.call(() => document.title), /^nightly build/);
    await matches(".badge", /Succeeded/);
    await matches("h1.command", /^make -j2 all 'CFLAGS=-O2 -g'$/);
    await matches(".meta", /2025-03-14 10:15:02 UTC.*builder-04.*branch/);
    await matches(".figures", /Duration11\.78 s.*CPU time.*Peak memory354 MiB/);
    await matches(".figures", /Processes158.*Output84 lines/);
    assert.equal(await count(".uplot canvas"), 4);
    const titles = await browser.call(() =>
        [...document.querySelectorAll(".plot")].map(
            (plot) => plot.getAttribute("aria-label").split(":")[0],
        ),
    );
    const more = ["Waiting for", "Page faults", "Context switches"];
    assert.deepEqual(titles, ["CPU in cores", "Memory", "Disk I/O", "Processes", ...more]);
    await matches(".gantt-bar h2", /^158 processes$/);
    await matches(".tables", /Busiest processes.*Biggest processes.*Failed processes/);
    await matches(".tables", /By command.*All totals.*About this recording/);
    const moved = await browser.call(async () => {
        let sum = 0;
        new PerformanceObserver((list) => {
            for (const shift of list.getEntries()) {
                sum += shift.value;
            }
        }).observe({ type: "layout-shift", buffered: true });
        await new Promise((done) => setTimeout(done, 200));
        return sum;
    });
    assert.equal(moved, 0, "the page moves while it loads");
    await shot("typical-light");
    await press("More charts: Waiting for, page faults, context switches");
    assert.equal(await count(".uplot canvas"), 7);
    await shot("typical-more");
    await browser.media("dark");
    await browser.frames();
    assert.equal(await scheme(), "dark");
    await shot("typical-dark");
});

await check("typical: something is drawn in every canvas", async () => {
    await open("typical");
    const blank = await browser.call(() => {
        const isBlank = (canvas) => {
            const { data } = canvas
                .getContext("2d")
                .getImageData(0, 0, canvas.width, canvas.height);
            return data.every((value) => value === 0);
        };
        return [...document.querySelectorAll("canvas")].filter(isBlank).length;
    });
    assert.equal(blank, 0);
});

await check("zoom by drag, keys and buttons, back by double click", async () => {
    await open("typical");
    await matches(".range", /^all of 11\.78 s$/);
    const plot = await browser.box(".plot");
    const left = plot.x + PLOT_LEFT;
    await browser.drag(left + 100, plot.y + 40, left + 300, plot.y + 44);
    await matches(".range", /^1\.\d+ s to 5\.\d+ s \(3\.\d+ s of 11\.78 s\)$/);
    const zoomed = await $(".range");
    await browser.click(left + 50, plot.y + 40, 1);
    await browser.click(left + 50, plot.y + 40, 2);
    await matches(".range", /^all of/);
    await focus(".stack");
    await browser.key("+", "+");
    await matches(".range", / to /);
    assert.notEqual(await $(".range"), zoomed);
    await browser.key("0", "0");
    await matches(".range", /^all of/);
    await browser.key("ArrowRight");
    assert.equal(await count(".cursor-flag.pinned"), 1);
    await browser.key("Escape");
    assert.equal(await count(".cursor-flag"), 0);
    await press("+", ".timeline");
    await matches(".range", / to /);
    await press("Show all");
    await matches(".range", /^all of/);
    const overview = await browser.box(".overview");
    const from = overview.x + PLOT_LEFT + 200;
    await browser.drag(from, overview.y + 15, from + 60, overview.y + 15);
    await matches(".range", /\(1\.\d+ s of 11\.78 s\)$/);
});

await check("hovering a chart moves the log, hovering the log moves the cursor", async () => {
    await open("typical");
    const plot = await browser.box(".plot");
    await browser.hover(plot.x + PLOT_LEFT + 500, plot.y + 40);
    const flag = parseFloat(await $(".cursor-flag"));
    const line = parseFloat(await $(LIST + " .row.current .row-time"));
    assert.ok(flag > 1 && line <= flag && flag - line < 1, flag + " against " + line);
    await matches(".legend-value", /^\d/);
    await browser.hover(10, 10);
    await matches(".legend-value", /^max/);
    const row = await browser.call((list) => {
        const node = [...document.querySelectorAll(list + " .row")].find(
            (one) => one.getBoundingClientRect().top > 500,
        );
        const box = node.getBoundingClientRect();
        const time = node.querySelector(".row-time").textContent.replace(/\u00a0/g, " ");
        return { x: box.x + 100, y: box.y + 5, time };
    }, LIST);
    await browser.hover(row.x, row.y);
    assert.equal(await $(".cursor-flag"), row.time);
});

await check("output: streams, search, colours, details", async () => {
    await open("typical");
    assert.equal(await $(".log .found"), "84 lines");
    await press("stderr", ".log");
    assert.equal(await $(".log .found"), "16 of 84");
    await press("All", ".log");
    await type(".log input[type=search]", "WARNING");
    assert.equal(await $(".log .found"), "5 of 84");
    assert.equal(await $(LIST + " mark"), "warning");
    await type(".log input[type=search]", "");
    const bold = await browser.call(() => {
        const spans = [...document.querySelectorAll(".row-text span")];
        return spans.filter((one) => one.style.fontWeight === "600").map((one) => one.textContent);
    });
    assert.ok(bold.some((text) => /^src\/.*\.c:\d+:17:$/.test(text)));
    assert.ok(!(await $("#app")).includes("\u001b"));
    await scrollToEnd(LIST);
    assert.match(await last(LIST + " .row"), /took 12no newline$/);
    const progress = (await words(LIST + " .row-text")).find((text) => text.startsWith("Progress"));
    assert.equal(progress, "Progress: 100%  done");
    await clickRow("Progress");
    await matches(".line-detail", /stdout, line \d+.*10%␍Progress/);
    await press("Events", ".log");
    await matches(LIST, /flight\.start.*command started/);
    await type(".log input[type=search]", "crashed");
    await matches(".log .found", /^1 of/);
});

await check("processes: tree, lanes, filter, selection, keys", async () => {
    await open("typical");
    await press("Tree", ".gantt");
    await type(".gantt input[type=search]", "crc");
    await matches(".gantt .found", /^\d+ matches$/);
    await type(".gantt input[type=search]", "");
    const scroll = await browser.box(".gantt-scroll");
    await browser.hover(scroll.x + 400, scroll.y + 12);
    await matches(".tip", /^makeEndexit 0.*CPU61 ms.*Commandmake -j2/);
    await browser.click(scroll.x + 400, scroll.y + 12);
    await matches(".inspector strong", /^make$/);
    await focus(".gantt-scroll");
    await browser.key("ArrowDown");
    await matches(".inspector strong", /^uname$/);
    await browser.key("Enter");
    await matches(".range", /ms of 11\.78 s\)$/);
    await press("Show all");
    const height = () => browser.call(() => document.querySelector(".gantt-spacer").offsetHeight);
    const before = await height();
    await press("Fold all");
    assert.ok((await height()) < before);
    await browser.call(() => document.querySelector(".tables button.link").click());
    await browser.frames();
    await matches(".inspector strong", /^cc1$/);
    await matches(".inspector", /Peak memory.*child of cc/);
    await shot("typical-selected");
});

await check("theme switch", async () => {
    await open("typical");
    await press("Dark");
    assert.equal(await scheme(), "dark");
    await press("Light");
    assert.equal(await scheme(), "light");
    await press("Auto");
});

await check("failed and killed runs say why", async () => {
    await open("failed");
    await matches(".badge", /Failed with exit code 2/);
    await matches(".why", /first failure: cc1/);
    await open("oom");
    await matches(".badge", /Out of memory/);
    await matches(".why", /^killed by the kernel: out of memory \(limit 512 MiB/);
    await matches(".evidence", /memory\.events: oom_kill rose from 0 to 1/);
    await matches(".log .note", /12,044 lines \(1\.8 MiB\) left out of this page/);
    await matches(".gantt-bar", /by signal 2.*not seen 1/);
    await browser.media("dark");
    await browser.frames();
    await shot("oom-dark");
});

await check("little or nothing recorded", async () => {
    await open("tiny");
    await matches(".figures", /Duration1\.4 ms.*CPU time0\.9 ms/);
    await matches(".gantt-bar h2", /^1 process$/);
    await open("empty");
    await matches(".badge", /Succeeded/);
    await matches(".empty-charts", /No measurements were recorded/);
    await matches(".log .empty", /printed nothing/);
    await open("bare");
    await matches(".badge", /End not recorded/);
    await matches("h1", /command not recorded/);
    await open("damaged");
    await matches("h1", /no readable data/);
});

await check("hostile data stays data", async () => {
    await open("hostile");
    assert.equal(await pwned(), "undefined");
    await matches(".flight-name", /^<\/script><script>window\.pwned=1/);
    await matches(".badge", /__proto__/);
    assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(await $("#app")));
    assert.ok(await browser.call(() => document.documentElement.scrollWidth <= innerWidth));
    await press("Tree", ".gantt");
    await press("Fold all", ".gantt");
    await press("Unfold all", ".gantt");
    await press("Events", ".log");
    await press("Output", ".log");
    await type(".log input[type=search]", "<script>");
    await clickRow("<script>");
    assert.equal(await pwned(), "undefined");
    // Even a script that came in by some other way would not run.
    await browser.call(() => {
        const script = document.createElement("script");
        script.textContent = "window.pwned = 3";
        document.body.append(script);
    });
    assert.equal(await pwned(), "undefined");
    await shot("hostile");
});

await check("a large flight stays light", async () => {
    const rows = () => browser.call(() => document.querySelectorAll(".row").length);
    await open("large");
    await matches(".log .found", /^50,000 lines$/);
    await matches(".gantt-bar h2", /^4,976 processes$/);
    assert.ok((await rows()) < 200);
    const canvas = await browser.box(".gantt-canvas");
    assert.ok(canvas.height > 100 && canvas.height < 1000);
    await scrollToEnd(LIST);
    assert.match(await last(LIST + " .row"), /took 12|Leaving/);
    await press("Tree", ".gantt");
    await scrollToEnd(".gantt-scroll");
    assert.ok((await rows()) < 200);
    await press("Lanes", ".gantt");
    await shot("large");
});

await check("narrow screens need no sideways scrolling", async () => {
    await browser.size(390, 844, true);
    for (const name of [...Object.keys(SAMPLES), "damaged"]) {
        await open(name);
        const width = await browser.call(() => document.documentElement.scrollWidth);
        assert.ok(width <= 390, name + " is " + width + " wide");
        await shot("phone-" + name);
    }
});

await check("on paper: no controls, the end of the output", async () => {
    const tell = (name) => browser.call((event) => void dispatchEvent(new Event(event)), name);
    await open("typical");
    await browser.media("dark", "print");
    await tell("beforeprint");
    await browser.frames();
    assert.equal(await count(".log, .overview, input"), 0);
    assert.equal(await scheme(), "light");
    const widest = await browser.call(() =>
        Math.max(...[...document.querySelectorAll("canvas")].map((one) => one.offsetWidth)),
    );
    assert.ok(widest > 300 && widest <= 700, "a canvas of " + widest);
    await matches(".paper-lines", /Leaving directory/);
    await shot("print");
    await tell("afterprint");
});

await check("two flights compared", async () => {
    await open("compare");
    await matches(".side-a", /nightly build/);
    await matches("table", /Duration11\.78 s9\.19 s−2\.59 s▼ −22 %/);
    assert.equal(await count(".uplot canvas"), 6);
    await press("Stretched");
    await matches(".range", /^all of 100\.0 %$/);
    assert.equal(await count(".uplot canvas"), 6);
    await shot("compare");
});

await browser.close();
process.stdout.write(failures === 0 ? "all checks passed\n" : failures + " checks failed\n");
process.exit(failures === 0 ? 0 : 1);
