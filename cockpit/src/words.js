// Facts as people read them.  All of it is pure.
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(bytes) {
    if (bytes === null || bytes === undefined)
        return "";
    let n = 0;
    while (bytes >= 1024 && n < UNITS.length - 1) {
        bytes /= 1024;
        n++;
    }
    return `${n && bytes < 100 ? bytes.toFixed(1).replace(/\.0$/, "") : Math.round(bytes)} ${UNITS[n]}`;
}

export function micros(us) {
    if (us === null || us === undefined)
        return "–";
    return us < 1000 ? `${Math.round(us)} µs` : us < 1e6 ? `${(us / 1000).toFixed(us < 1e4 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(1)} s`;
}

export function count(n, one, many = one + "s") {
    return `${n} ${n === 1 ? one : many}`;
}

// A time of the programs (RFC 3339, UTC) in the reader's own zone and words.
export function when(time) {
    const date = new Date(time);
    return Number.isNaN(date.getTime()) ? time || "" : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

export function ago(time, now = Date.now()) {
    const s = Math.max(0, Math.round((now - new Date(time).getTime()) / 1000));
    const [n, unit] = s < 90 ? [s, "second"] : s < 5400 ? [Math.round(s / 60), "minute"] : s < 129600 ? [Math.round(s / 3600), "hour"]
        : [Math.round(s / 86400), "day"];
    return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(-n, unit);
}

export function portal({ address, port, tpgt }) {
    const host = address.includes(":") ? `[${address}]` : address;
    return `${host}:${port}` + (tpgt !== undefined && tpgt !== 1 ? `,${tpgt}` : "");
}

// The guide's levels, 0 to 7.
export const LEVELS = ["panic", "alert", "critical", "error", "warning", "notice", "information", "debug"];
export const LEVEL_WORDS = ["panic", "alert", "crit", "err", "warn", "notice", "info", "debug"];

export const FROM = { default: "default", global: "all targets", target: "this target", address: "this address" };

export function list(value) {
    return Array.isArray(value) ? value.join(" ") : value === undefined || value === null ? "" : String(value);
}
