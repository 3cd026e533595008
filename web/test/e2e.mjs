// The page in a real browser: node e2e.mjs CHROMIUM REPORT.HTML DIRECTORY [SCREENSHOTS]
// Every sample is loaded, looked at as a reader would, and must neither complain nor ask for anything.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Browser } from "./browser.mjs";
import { SAMPLES, writeSamples } from "./samples.mjs";

const [, , program, template, directory, screenshots] = process.argv;
const PLOT_LEFT = 62; // AXIS_WIDTH
const browser = await Browser.open(program);
let failures = 0;

const $ = (selector, property = "textContent") =>
    browser.eval("(() => { const node = document.querySelector(" + JSON.stringify(selector) + "); return node ? node." + property + ".replace(/\\u00a0/g, ' ') : null; })()");
const count = (selector) => browser.eval("[...document.querySelectorAll(" + JSON.stringify(selector) + ")].filter((node) => node.getClientRects().length > 0).length");
const press = (label, within = "body") => browser.eval("[...document.querySelector(" + JSON.stringify(within) + ").querySelectorAll('button')].find((one) => one.textContent.replace(/\\u00a0/g, ' ').startsWith(" + JSON.stringify(label) + ")).click()")
    .then(() => browser.frames());
const type = async (selector, text) => {
    await browser.eval("(() => { const node = document.querySelector(" + JSON.stringify(selector) + "); node.value = " + JSON.stringify(text) + "; node.dispatchEvent(new Event('input')); })()");
    await browser.frames();
};
const matches = async (selector, pattern) => assert.match(String(await $(selector)), pattern);

// Loads a sample; nothing on the console, nothing asked of any network, no element that data could have made.
async function open(name) {
    const url = pathToFileURL(join(directory, name + ".html")).href;
    const seen = await browser.load(url);
    assert.deepEqual(seen.console, [], name + " writes to the console");
    assert.deepEqual(seen.requests.filter((one) => one !== url && !one.startsWith("data:")), [], name + " asks for something");
    assert.equal(await browser.eval("document.scripts.length"), 3);
    assert.equal(await browser.eval("document.querySelectorAll('img, iframe, object, embed, base, a[href]').length"), 0);
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
    assert.match(await browser.eval("document.title"), /^nightly build/);
    await matches(".badge", /Succeeded/);
    await matches("h1.command", /^make -j2 all 'CFLAGS=-O2 -g'$/);
    await matches(".meta", /2025-03-14 10:15:02 UTC.*builder-04.*branch/);
    await matches(".figures", /Duration11\.78 s.*CPU time.*Peak memory354 MiB.*Processes158.*Output84 lines/);
    assert.equal(await count(".uplot canvas"), 4);
    assert.deepEqual(await browser.eval("[...document.querySelectorAll('.plot')].map((plot) => plot.getAttribute('aria-label').split(':')[0])"),
        ["CPU in cores", "Memory", "Disk I/O", "Processes", "Waiting for", "Page faults", "Context switches"]);
    await matches(".gantt-bar h2", /^158 processes$/);
    await matches(".tables", /Busiest processes.*Biggest processes.*Failed processes.*By command.*All totals.*About this recording/);
    assert.equal(await browser.eval("new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const shift of list.getEntries()) { sum += shift.value; } }).observe({ type: 'layout-shift', buffered: true }); " +
        "setTimeout(() => done(sum), 200); })"), 0, "the page moves while it loads");
    await shot("typical-light");
    await press("More charts: Waiting for, page faults, context switches");
    assert.equal(await count(".uplot canvas"), 7);
    await shot("typical-more");
    await browser.media("dark");
    await browser.frames();
    assert.equal(await browser.eval("getComputedStyle(document.body).colorScheme"), "dark");
    await shot("typical-dark");
});

await check("typical: something is drawn in every canvas", async () => {
    await open("typical");
    const blank = await browser.eval("[...document.querySelectorAll('canvas')].filter((canvas) => { const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; " +
        "for (let i = 3; i < data.length; i += 4) { if (data[i] !== 0) { return false; } } return true; }).length");
    assert.equal(blank, 0);
});

await check("zoom by drag, keys and buttons, back by double click", async () => {
    await open("typical");
    await matches(".range", /^all of 11\.78 s$/);
    const plot = await browser.box(".plot");
    await browser.drag(plot.x + PLOT_LEFT + 100, plot.y + 40, plot.x + PLOT_LEFT + 300, plot.y + 44);
    await matches(".range", /^1\.\d+ s to 5\.\d+ s \(3\.\d+ s of 11\.78 s\)$/);
    const zoomed = await $(".range");
    await browser.click(plot.x + PLOT_LEFT + 50, plot.y + 40, 1);
    await browser.click(plot.x + PLOT_LEFT + 50, plot.y + 40, 2);
    await matches(".range", /^all of/);
    await browser.eval("document.querySelector('.stack').focus()");
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
    await browser.drag(overview.x + PLOT_LEFT + 200, overview.y + 15, overview.x + PLOT_LEFT + 260, overview.y + 15);
    await matches(".range", /\(1\.\d+ s of 11\.78 s\)$/);
});

await check("hovering a chart moves the log, hovering the log moves the cursor", async () => {
    await open("typical");
    const plot = await browser.box(".plot");
    await browser.hover(plot.x + PLOT_LEFT + 500, plot.y + 40);
    const flag = parseFloat(await $(".cursor-flag"));
    const line = parseFloat(await $(".list:not([hidden]) .row.current .row-time"));
    assert.ok(flag > 1 && line <= flag && flag - line < 1, flag + " against " + line);
    await matches(".legend-value", /^\d/);
    await browser.hover(10, 10);
    await matches(".legend-value", /^max/);
    const row = await browser.eval("(() => { const box = [...document.querySelectorAll('.list:not([hidden]) .row')].find((one) => one.getBoundingClientRect().top > 500).getBoundingClientRect(); return { x: box.x + 100, y: box.y + 5 }; })()");
    await browser.hover(row.x, row.y);
    const time = await browser.eval("document.elementFromPoint(" + row.x + "," + row.y + ").closest('.row').querySelector('.row-time').textContent");
    assert.equal((await $(".cursor-flag")).replace(/ /g, ""), time.replace(/\u00a0/g, ""));
});

await check("output: streams, search, colours, details", async () => {
    await open("typical");
    const found = async () => $(".log .found");
    assert.equal(await found(), "84 lines");
    await press("stderr", ".log");
    assert.equal(await found(), "16 of 84");
    await press("All", ".log");
    await type(".log input[type=search]", "WARNING");
    assert.equal(await found(), "5 of 84");
    assert.equal(await $(".list:not([hidden]) mark"), "warning");
    await type(".log input[type=search]", "");
    assert.match(await browser.eval("[...document.querySelectorAll('.row span')].find((span) => span.style.fontWeight === '600' && span.textContent.startsWith('src/')).textContent"), /src\/.*\.c:\d+:17:/);
    assert.equal(await browser.eval("document.querySelector('#app').textContent.includes('\\u001b')"), false);
    await browser.eval("document.querySelector('.list:not([hidden])').scrollTop = 1e9");
    await browser.frames();
    const last = await browser.eval("[...document.querySelectorAll('.list:not([hidden]) .row')].pop().textContent.replace(/\\u00a0/g, ' ')");
    assert.match(last, /took 12no newline$/);
    const progress = await browser.eval("[...document.querySelectorAll('.list:not([hidden]) .row-text')].map((one) => one.textContent).find((one) => one.startsWith('Progress'))");
    assert.equal(progress, "Progress: 100%  done");
    await browser.eval("[...document.querySelectorAll('.list:not([hidden]) .row')].find((one) => one.textContent.includes('Progress')).click()");
    await browser.frames();
    await matches(".line-detail", /stdout, line \d+.*10%␍Progress/);
    await press("Events", ".log");
    await matches(".list:not([hidden])", /flight\.start.*command started/);
    await type(".log input[type=search]", "crashed");
    assert.match(await found(), /^1 of/);
});

await check("processes: tree, lanes, filter, selection, keys", async () => {
    await open("typical");
    await press("Tree", ".gantt");
    await type(".gantt input[type=search]", "crc");
    await matches(".gantt .found", /^\d+ matches$/);
    await type(".gantt input[type=search]", "");
    const scroll = await browser.box(".gantt-scroll");
    await browser.hover(scroll.x + 400, scroll.y + 12);
    await matches(".tip", /^makeEndexit 0.*CPU61 ms.*Command make -j2|^makeEndexit 0.*Commandmake -j2/);
    await browser.click(scroll.x + 400, scroll.y + 12);
    await matches(".inspector strong", /^make$/);
    await browser.eval("document.querySelector('.gantt-scroll').focus()");
    await browser.key("ArrowDown");
    await matches(".inspector strong", /^uname$/);
    await browser.key("Enter");
    await matches(".range", /^[\d.]+ s to .*\(1\.4 ms of|ms of 11\.78 s\)$/);
    await press("Show all");
    const before = await browser.eval("document.querySelector('.gantt-spacer').offsetHeight");
    await press("Fold all");
    assert.ok(await browser.eval("document.querySelector('.gantt-spacer').offsetHeight") < before);
    await browser.eval("document.querySelector('.tables button.link').click()");
    await browser.frames();
    await matches(".inspector strong", /^cc1$/);
    await matches(".inspector", /Peak memory.*child of cc/);
    await shot("typical-selected");
});

await check("theme switch", async () => {
    await open("typical");
    await press("Dark");
    assert.equal(await browser.eval("getComputedStyle(document.documentElement).colorScheme"), "dark");
    await press("Light");
    assert.equal(await browser.eval("getComputedStyle(document.documentElement).colorScheme"), "light");
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
    assert.equal(await browser.eval("typeof window.pwned"), "undefined");
    await matches(".flight-name", /^<\/script><script>window\.pwned=1/);
    await matches(".badge", /__proto__/);
    assert.equal(await browser.eval("/[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.querySelector('#app').textContent)"), false);
    assert.ok(await browser.eval("document.documentElement.scrollWidth <= innerWidth"));
    await press("Tree", ".gantt");
    await press("Fold all", ".gantt");
    await press("Unfold all", ".gantt");
    await press("Events", ".log");
    await press("Output", ".log");
    await type(".log input[type=search]", "<script>");
    await browser.eval("document.querySelector('.list:not([hidden]) .row').click()");
    await browser.frames();
    assert.equal(await browser.eval("typeof window.pwned"), "undefined");
    // Even a script that came in by some other way would not run.
    await browser.eval("(() => { const script = document.createElement('script'); script.textContent = 'window.pwned = 3'; document.body.append(script); })()");
    assert.equal(await browser.eval("typeof window.pwned"), "undefined");
    await shot("hostile");
});

await check("a large flight stays light", async () => {
    await open("large");
    await matches(".log .found", /^50,000 lines$/);
    await matches(".gantt-bar h2", /^4,976 processes$/);
    assert.ok(await browser.eval("document.querySelectorAll('.row').length") < 200);
    assert.ok(await browser.eval("document.querySelector('.gantt-canvas').offsetHeight") < 1000);
    await browser.eval("document.querySelector('.list:not([hidden])').scrollTop = 1e9");
    await browser.frames();
    assert.match(await browser.eval("[...document.querySelectorAll('.list:not([hidden]) .row')].pop().textContent"), /took 12|Leaving/);
    await press("Tree", ".gantt");
    await browser.eval("document.querySelector('.gantt-scroll').scrollTop = 1e9");
    await browser.frames();
    assert.ok(await browser.eval("document.querySelectorAll('.row').length") < 200);
    await press("Lanes", ".gantt");
    await shot("large");
});

await check("narrow screens need no sideways scrolling", async () => {
    await browser.size(390, 844, true);
    for (const name of [...Object.keys(SAMPLES), "damaged"]) {
        await open(name);
        assert.ok(await browser.eval("document.documentElement.scrollWidth <= 390"), name + " is wider than the screen");
        await shot("phone-" + name);
    }
});

await check("on paper: no controls, the end of the output", async () => {
    await open("typical");
    await browser.media("dark", "print");
    await browser.eval("window.dispatchEvent(new Event('beforeprint'))");
    await browser.frames();
    assert.equal(await count(".log, .overview, input"), 0);
    assert.equal(await browser.eval("getComputedStyle(document.documentElement).colorScheme"), "light");
    assert.ok(await browser.eval("[...document.querySelectorAll('canvas')].every((canvas) => canvas.offsetWidth <= 700)"));
    await matches(".paper-lines", /Leaving directory/);
    await shot("print");
    await browser.eval("window.dispatchEvent(new Event('afterprint'))");
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
