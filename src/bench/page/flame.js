// Flame graphs: a click on a frame makes it as wide as the graph, a search marks frames and says how
// much of the time they are. Without this the graph is a picture with tips.
(() => {
    "use strict";
    const CHARACTER = 6.6;
    for (const svg of document.querySelectorAll("svg.flamegraph")) {
        const frames = [...svg.querySelectorAll("g.frame")].map((group) => ({
            group,
            rect: group.querySelector("rect"),
            text: group.querySelector("text"),
            begin: Number(group.dataset.begin),
            width: Number(group.dataset.width),
            depth: Number(group.dataset.depth),
            name: group.dataset.name,
        }));
        const total = Number(svg.dataset.total);
        const span = Number(svg.dataset.span);
        const margin = Number(svg.dataset.margin);
        const status = svg.querySelector("text.status");
        const back = svg.querySelector("text.back");
        const find = svg.querySelector("text.find");
        const fit = (frame, width) => {
            const room = Math.floor((width - 6) / CHARACTER);
            const name = frame.name;
            frame.text.textContent =
                room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "\u2026";
        };
        const show = (chosen) => {
            const begin = chosen ? chosen.begin : 0;
            const width = chosen ? chosen.width : total;
            for (const frame of frames) {
                const end = frame.begin + frame.width;
                const above = chosen && frame.depth < chosen.depth;
                const inside = above
                    ? frame.begin <= begin && end >= begin + width
                    : frame.begin >= begin && end <= begin + width;
                frame.group.style.display = inside ? "" : "none";
                if (!inside) {
                    continue;
                }
                const x = above ? margin : margin + ((frame.begin - begin) / width) * span;
                const w = above ? span : (frame.width / width) * span;
                frame.rect.setAttribute("x", x);
                frame.rect.setAttribute("width", Math.max(w, 0.1));
                frame.text.setAttribute("x", x + 3);
                frame.group.classList.toggle("above", Boolean(above));
                fit(frame, w);
            }
            back.style.display = chosen ? "" : "none";
        };
        const search = (words) => {
            let pattern = null;
            try {
                pattern = words ? new RegExp(words, "i") : null;
            } catch {
                status.textContent = "that is no regular expression";
                return;
            }
            // The widest that match, and none within another, so that nothing counts twice.
            const spans = [];
            for (const frame of frames) {
                const found = pattern !== null && pattern.test(frame.name);
                frame.group.classList.toggle("found", found);
                if (found && !spans.some((s) => s.begin <= frame.begin &&
                    frame.begin + frame.width <= s.begin + s.width)) {
                    spans.push(frame);
                }
            }
            const sum = spans.reduce((part, frame) => part + frame.width, 0);
            status.textContent = pattern
                ? `${words}: ${((100 * sum) / total).toFixed(1)} % of all` : "";
        };
        svg.addEventListener("click", (event) => {
            const group = event.target.closest("g.frame");
            if (group) {
                const frame = frames.find((one) => one.group === group);
                show(frame.depth === 0 ? null : frame);
            }
        });
        svg.addEventListener("mouseover", (event) => {
            const group = event.target.closest("g.frame");
            if (group) {
                status.textContent = group.querySelector("title").textContent;
            }
        });
        svg.addEventListener("keydown", (event) => {
            if (event.key === "Enter" && event.target.matches("g.frame")) {
                event.target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
            }
        });
        back.addEventListener("click", () => show(null));
        find.addEventListener("click", () => {
            const words = prompt("Frames whose name has (a regular expression):", "");
            if (words !== null) {
                search(words);
            }
        });
        back.style.display = "none";
        find.style.display = "";
        svg.search = search; // for tests, and for the console
        svg.zoom = (name) => show(frames.find((frame) => frame.name === name) || null);
    }
})();
