// Finds the data in the page and hands it to the page that it is for.
import { el } from "./dom.js";
import { readModel } from "./model.js";
import { flightPage } from "./page.js";
import { comparePage } from "./compare.js";
import { theme } from "./theme.js";

const SCHEMA_VERSION = 1;

function message(app, title, text) {
    document.title = title;
    app.replaceChildren(el("main", { class: "message" }, el("h1", {}, title), el("p", {}, text)));
}

function start() {
    const app = document.getElementById("app");
    const source = document.getElementById("flight-data").textContent;
    theme.start();
    let data;
    try {
        data = JSON.parse(source);
    } catch (error) {
        message(
            app,
            "This report has no readable data",
            "The file may be incomplete. Write it again with: mayfly report FLIGHT -o FILE",
        );
        return;
    }
    const version = data && data.schema_version;
    if (typeof version === "number" && version > SCHEMA_VERSION) {
        message(
            app,
            "This report is from a newer Mayfly",
            "Its data has schema version " +
                version +
                "; this page reads version " +
                SCHEMA_VERSION +
                ".",
        );
        return;
    }
    if (data && data.mode === "compare") {
        comparePage(app, readModel(data.a), readModel(data.b), source);
    } else {
        flightPage(app, readModel(data), source);
    }
}

start();
