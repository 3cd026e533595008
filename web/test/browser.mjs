// A headless Chromium driven over its debugging pipe: no port, no library.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
];

export class Browser {
    static async open(program) {
        const browser = new Browser();
        browser.profile = mkdtempSync(join(tmpdir(), "mayfly-web-"));
        browser.child = spawn(
            program,
            [...FLAGS, "--user-data-dir=" + browser.profile, "about:blank"],
            { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
        );
        browser.waiting = new Map();
        browser.serial = 0;
        browser.rest = "";
        browser.onEvent = () => {};
        browser.child.stdio[4].setEncoding("utf8");
        browser.child.stdio[4].on("data", (text) => browser.receive(text));
        browser.exited = new Promise((done) => browser.child.on("exit", done));
        browser.child.on("exit", () => {
            for (const { reject } of browser.waiting.values()) {
                reject(new Error("the browser ended"));
            }
        });
        const { targetInfos } = await browser.send("Target.getTargets");
        const page = targetInfos.find((info) => info.type === "page");
        const { sessionId } = await browser.send("Target.attachToTarget", {
            targetId: page.targetId,
            flatten: true,
        });
        browser.session = sessionId;
        for (const domain of ["Page", "Runtime", "Network", "Log"]) {
            await browser.send(domain + ".enable");
        }
        return browser;
    }

    receive(text) {
        const parts = (this.rest + text).split("\0");
        this.rest = parts.pop();
        for (const part of parts) {
            const message = JSON.parse(part);
            const call = this.waiting.get(message.id);
            if (call) {
                this.waiting.delete(message.id);
                if (message.error) {
                    call.reject(new Error(message.error.message));
                } else {
                    call.resolve(message.result);
                }
            } else if (message.method) {
                this.onEvent(message);
            }
        }
    }

    send(method, params = {}) {
        const id = ++this.serial;
        const sent = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
        this.child.stdio[3].write(
            JSON.stringify({ id, method, params, sessionId: this.session }) + "\0",
        );
        return sent;
    }

    // Loads a page and collects what it says and asks for: {console, requests}.
    async load(url) {
        const seen = { console: [], requests: [] };
        let loaded;
        const done = new Promise((resolve) => {
            loaded = resolve;
        });
        this.onEvent = ({ method, params }) => {
            if (method === "Page.loadEventFired") {
                loaded();
            } else if (method === "Network.requestWillBeSent") {
                seen.requests.push(params.request.url);
            } else if (method === "Runtime.exceptionThrown") {
                const { exceptionDetails: details } = params;
                seen.console.push(
                    "exception: " +
                        ((details.exception && details.exception.description) || details.text),
                );
            } else if (method === "Runtime.consoleAPICalled") {
                seen.console.push(
                    params.type +
                        ": " +
                        params.args.map((arg) => arg.value || arg.description).join(" "),
                );
            } else if (method === "Log.entryAdded") {
                seen.console.push(params.entry.level + ": " + params.entry.text);
            }
        };
        await this.send("Page.navigate", { url });
        await done;
        await this.frames();
        return seen;
    }

    // Calls a function in the page; it sees its arguments (as JSON) and the page, nothing of here.
    async call(work, ...values) {
        const expression = "(" + work + ")(" + values.map((one) => JSON.stringify(one)) + ")";
        const { result, exceptionDetails: details } = await this.send("Runtime.evaluate", {
            expression,
            awaitPromise: true,
            returnByValue: true,
        });
        if (details) {
            throw new Error((details.exception && details.exception.description) || details.text);
        }
        return result.value;
    }

    // Lets the page draw what it has put off.
    async frames() {
        await this.call(async () => {
            const next = (ask) => new Promise((done) => ask(done));
            await next(requestAnimationFrame);
            await next(requestAnimationFrame);
            await next(setTimeout);
        });
    }

    async size(width, height, mobile = false) {
        await this.send("Emulation.setDeviceMetricsOverride", {
            width,
            height,
            deviceScaleFactor: mobile ? 2 : 1,
            mobile,
        });
    }

    async media(scheme, type = "") {
        await this.send("Emulation.setEmulatedMedia", {
            media: type,
            features: [{ name: "prefers-color-scheme", value: scheme }],
        });
    }

    async mouse(type, x, y, more = {}) {
        await this.send("Input.dispatchMouseEvent", {
            type,
            x,
            y,
            button: type === "mouseMoved" ? "none" : "left",
            buttons: type === "mouseReleased" ? 0 : 1,
            clickCount: 1,
            ...more,
        });
    }

    async hover(x, y) {
        await this.mouse("mouseMoved", x, y, { buttons: 0 });
        await this.frames();
    }

    async click(x, y, clickCount = 1) {
        await this.mouse("mouseMoved", x, y, { buttons: 0 });
        await this.mouse("mousePressed", x, y, { clickCount });
        await this.mouse("mouseReleased", x, y, { clickCount });
        await this.frames();
    }

    async drag(x0, y0, x1, y1) {
        await this.mouse("mouseMoved", x0, y0, { buttons: 0 });
        await this.mouse("mousePressed", x0, y0);
        for (let i = 1; i <= 4; i++) {
            await this.mouse("mouseMoved", x0 + ((x1 - x0) * i) / 4, y0 + ((y1 - y0) * i) / 4, {
                button: "left",
            });
        }
        await this.mouse("mouseReleased", x1, y1);
        await this.frames();
    }

    async key(key, text) {
        await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, text });
        await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
        await this.frames();
    }

    // The box of an element in the viewport, after scrolling it into sight.
    async box(selector) {
        return this.call((sought) => {
            const node = document.querySelector(sought);
            node.scrollIntoView({ block: "nearest" });
            const { x, y, width, height } = node.getBoundingClientRect();
            return { x, y, width, height };
        }, selector);
    }

    async screenshot() {
        const { data } = await this.send("Page.captureScreenshot", { format: "png" });
        return Buffer.from(data, "base64");
    }

    async close() {
        await this.send("Browser.close").catch(() => {});
        await this.exited;
        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    }
}
