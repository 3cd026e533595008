// Values into short words. Everything that a person reads as a number, a time, a size or a name of
// foreign origin passes through here, so that units look the same all over the page.
export const NONE = "\u2013"; // "not measured", as opposed to zero
const NBSP = "\u00a0";
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function significant(value) {
    const size = Math.abs(value);
    if (size >= 1e15) {
        return value.toExponential(2);
    }
    if (size >= 100) {
        return grouped.format(value);
    }
    return size >= 10
        ? trim(value.toFixed(1))
        : size >= 0.01
          ? trim(value.toFixed(2))
          : size === 0
            ? "0"
            : value.toPrecision(2);
}

function trim(text) {
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

export function formatCount(value) {
    return value === null
        ? NONE
        : Number.isInteger(value) && Math.abs(value) < 1e15
          ? grouped.format(value)
          : significant(value);
}

// 158670 to "159k".
function thousands(value) {
    const size = Math.abs(value);
    const unit = size >= 1e15 ? 0 : size >= 1e9 ? 3 : size >= 1e6 ? 2 : size >= 1e4 ? 1 : 0;
    return significant(value / Math.pow(1000, unit)) + ["", "k", "M", "G"][unit];
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

export function formatBytes(value) {
    if (value === null) {
        return NONE;
    }
    let size = Math.abs(value);
    let unit = 0;
    while (size >= 1000 && unit < BYTE_UNITS.length - 1) {
        size /= 1024;
        unit++;
    }
    const text = unit === 0 ? formatCount(Math.round(size)) : significant(size);
    return (value < 0 ? "\u2212" : "") + text + NBSP + BYTE_UNITS[unit];
}

// A length of time. Two parts at most: enough to compare, short enough to scan.
export function formatDuration(ms) {
    if (ms === null) {
        return NONE;
    }
    if (ms < 0) {
        return "\u2212" + formatDuration(-ms);
    }
    if (ms < 1) {
        return ms === 0 ? "0" + NBSP + "ms" : significant(ms) + NBSP + "ms";
    }
    if (ms < 999.5) {
        return (ms < 10 ? trim(ms.toFixed(1)) : Math.round(ms)) + NBSP + "ms";
    }
    if (ms < 59995) {
        return (ms / 1000).toFixed(2) + NBSP + "s";
    }
    const seconds = Math.round(ms / 1000);
    if (seconds < 3600) {
        const tenths = Math.round(ms / 100);
        return (
            Math.floor(tenths / 600) +
            NBSP +
            "min" +
            NBSP +
            ((tenths % 600) / 10).toFixed(1).padStart(4, "0") +
            NBSP +
            "s"
        );
    }
    if (seconds < 86400) {
        return (
            Math.floor(seconds / 3600) +
            NBSP +
            "h" +
            NBSP +
            String(Math.floor(seconds / 60) % 60).padStart(2, "0") +
            NBSP +
            "min"
        );
    }
    const hours = Math.round(seconds / 3600);
    return formatCount(Math.floor(hours / 24)) + NBSP + "d" + NBSP + (hours % 24) + NBSP + "h";
}

// A point on the time axis. `step_ms` is the finest difference that must stay visible, `end_ms` the
// end of the axis: it decides between "450 ms", "12.3 s" and "1:02.3", for all labels of one axis
// alike.
export function formatTime(ms, step_ms, end_ms) {
    if (end_ms < 1000) {
        return (
            ms.toFixed(step_ms >= 1 ? 0 : step_ms >= 0.1 ? 1 : step_ms >= 0.01 ? 2 : 3) +
            NBSP +
            "ms"
        );
    }
    const digits =
        step_ms >= 1000
            ? 0
            : step_ms >= 100
              ? 1
              : step_ms >= 10
                ? 2
                : step_ms >= 1
                  ? 3
                  : step_ms >= 0.1
                    ? 4
                    : step_ms >= 0.01
                      ? 5
                      : 6;
    const sign = ms < 0 ? "\u2212" : "";
    const unit = Math.pow(10, digits);
    const whole = Math.round((Math.abs(ms) / 1000) * unit);
    if (end_ms < 60000) {
        return sign + (whole / unit).toFixed(digits) + NBSP + "s";
    }
    const seconds = Math.floor(whole / unit);
    const fraction = digits ? "." + String(Math.round(whole % unit)).padStart(digits, "0") : "";
    const two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    const start = end_ms >= 3600000 ? hours + ":" + two(minutes) : String(Math.floor(seconds / 60));
    return sign + start + ":" + two(seconds % 60) + fraction;
}

export function formatValue(value, unit) {
    if (value === null || value === undefined) {
        return NONE;
    }
    switch (unit) {
        case "bytes":
            return formatBytes(value);
        case "bytes_per_second":
            return formatBytes(value) + "/s";
        case "cores":
            return significant(value);
        case "count":
            return formatCount(value);
        case "percent":
            return significant(value) + NBSP + "%";
        case "ratio":
            return significant(value * 100) + NBSP + "%";
        case "ms":
            return formatDuration(value);
        case "seconds":
            return formatDuration(value * 1000);
        case "per_second":
            return thousands(value) + "/s";
        default:
            return (
                significant(value) +
                (unit ? NBSP + clip(plain(unit).replace(/_per_second$/, "/s"), 16) : "")
            );
    }
}

export function formatPercent(share) {
    const percent = share * 100;
    return (Math.abs(percent) >= 9.95 ? grouped.format(percent) : percent.toFixed(1)) + NBSP + "%";
}

export function formatWall(ms) {
    const date = new Date(ms === null ? NaN : ms);
    if (Number.isNaN(date.getTime())) {
        return { utc: NONE, local: "" };
    }
    return {
        utc: date.toISOString().slice(0, 19).replace("T", " ") + " UTC",
        local: date.toString(),
    };
}

// Characters that would change how their neighbours are shown, or that show nothing at all, become
// visible: control characters as Unicode control pictures, directional and invisible ones by code.
const UNSAFE = new RegExp(
    "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b-\\u200f" +
        "\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ufff9-\\ufffb]",
    "g",
);

export function reveal(character) {
    const code = character.codePointAt(0);
    if (code < 0x20) {
        return String.fromCharCode(0x2400 + code);
    }
    return code === 0x7f
        ? "\u2421"
        : "\u27e8U+" + code.toString(16).toUpperCase().padStart(4, "0") + "\u27e9";
}

export function plain(text) {
    return text.replace(UNSAFE, reveal);
}

export function unsafePattern() {
    return new RegExp(UNSAFE.source, "g");
}

// A command line as it could be typed into a shell.
export function shellJoin(argv) {
    return argv
        .map((word) =>
            /^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'",
        )
        .join(" ");
}

export function clip(text, length) {
    return text.length <= length ? text : text.slice(0, length - 1) + "\u2026";
}

// "io_read_bytes" to "Io read bytes": for names that this page has no words for.
export function humanise(name) {
    const text = plain(name).replace(/[_.]+/g, " ").trim();
    return text.charAt(0).toUpperCase() + text.slice(1);
}

export function plural(count, one, many) {
    return formatCount(count) + NBSP + (count === 1 ? one : many || one + "s");
}
