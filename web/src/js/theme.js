// Light, dark, or as the system says. Canvases ask for colours by name; they are read from the
// style sheet, so that every colour of the page is decided there.
const KEY = "mayfly-theme";
const listeners = [];
let cache = new Map();

function stored() {
    try {
        return localStorage.getItem(KEY); // refused in some browsers for pages opened from a file
    } catch (refused) {
        return null;
    }
}

function store(value) {
    try {
        localStorage.setItem(KEY, value);
    } catch (refused) {
        return; // the choice then lasts as long as the page
    }
}

export const theme = {
    choice: "auto",

    color(name) {
        if (!cache.has(name)) {
            cache.set(
                name,
                getComputedStyle(document.documentElement)
                    .getPropertyValue("--" + name)
                    .trim(),
            );
        }
        return cache.get(name);
    },

    set(value) {
        theme.choice = value === "light" || value === "dark" ? value : "auto";
        if (theme.choice === "auto") {
            delete document.documentElement.dataset.theme;
        } else {
            document.documentElement.dataset.theme = theme.choice;
        }
        theme.changed();
    },

    pick(value) {
        theme.set(value);
        store(theme.choice);
    },

    changed() {
        cache = new Map();
        for (const listener of listeners) {
            listener();
        }
    },

    onChange(listener) {
        listeners.push(listener);
    },

    start() {
        theme.set(stored());
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme.changed);
        // Paper is light, whatever the screen is.
        let onScreen = "auto";
        window.addEventListener("beforeprint", () => {
            onScreen = theme.choice;
            theme.set("light");
        });
        window.addEventListener("afterprint", () => theme.set(onScreen));
    },
};

function channel(value) {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
}

function parse(color) {
    return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

export function luminance(color) {
    const [r, g, b] = parse(color).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a, b) {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
}

// `color` moved towards black or white until it can be read on `background` (WCAG AA, 4.5:1).
// Colours are "#rrggbb".
export function readable(color, background) {
    const target = luminance(background) > 0.18 ? 0 : 255;
    let result = color;
    for (let step = 1; step <= 20 && contrast(result, background) < 4.5; step++) {
        result =
            "#" +
            parse(color)
                .map((value) =>
                    Math.round(value + ((target - value) * step) / 20)
                        .toString(16)
                        .padStart(2, "0"),
                )
                .join("");
    }
    return result;
}
