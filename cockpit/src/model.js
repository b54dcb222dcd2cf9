// What the page makes of the programs' answers.  All of it is pure; units are iscsiutil's.
import { count, portal, micros } from "./words.js";

const POINTS_MAX = 60;
export const WARNING = 4;

// The session's states in words, and how bad each is: "success", "warning", "danger", "info".
export function stateOf(address) {
    if (address.state === "online")
        return { word: "online", kind: "success" };
    if (address.state === "transient")
        return { word: address.last_error ? "trying again" : "connecting", kind: "warning" };
    if (address.state === "offline")
        return { word: "offline", kind: "danger" };
    return address.last_error ? { word: "failed", kind: "danger" } : { word: "logged out", kind: "info" };
}

// The overview, with the aliases that targets gave at their logins where discovery had none.
export function named(overview, sessions) {
    const aliases = new Map((sessions?.sessions || []).filter((s) => s.target_alias).map((s) => [s.target_name, s.target_alias]));
    return { ...overview, targets: overview.targets.map((t) => ({ ...t, alias: t.alias || aliases.get(t.name) || "" })) };
}

// The units, disks first: of each the node with its device, what iscsiutil -o knows of it beside that, and all paths: nodes of one designator
// are one unit.
export function units(overview) {
    const more = new Map((overview?.units || []).map((u) => [u.hw_path, u]));
    const states = new Map();
    for (const target of overview?.targets || [])
        for (const address of target.addresses)
            if (address.session_instance !== null)
                states.set(address.session_instance, { ...address, target: target.name });
    const groups = new Map();
    for (const node of (overview?.nodes || []).filter((n) => n.lun !== undefined)) {
        const key = node.designator || node.hw_path;
        groups.set(key, [...(groups.get(key) || []), node]);
    }
    return [...groups.values()].map((nodes) => {
        const node = nodes.find(device) || nodes.find((n) => n.sw_state === "CLAIMED") || nodes[0];
        const unit = more.get(node.hw_path) || {};
        return {
            ...node, usedBy: unit.used_by || [], io: unit.io || null, trouble: unit.last_trouble || null,
            address: states.get(node.session_instance) || null, name: device(node) || node.hw_path,
            paths: nodes.map((n) => ({ ...n, address: states.get(n.session_instance) || null })),
        };
    }).sort((a, b) => isDisk(b) - isDisk(a));
}

// The name of a disk's files, c0t0d1.
export function device(node) {
    return (node.dsk || node.nbd || "").replace(/^.*\//, "");
}

export function isDisk(unit) {
    return unit.class === "disk";
}

// How a unit is: { word, kind, why }.
export function healthOf(unit) {
    const state = unit.address ? stateOf(unit.address) : null;
    if (unit.sw_state === "NO_HW")
        return { word: "gone", kind: "danger", why: unit.note || "the target does not have it, or is not there" };
    if (state && state.kind !== "success")
        return { word: state.word, kind: state.kind, why: unit.address.last_error || "its session is not online" };
    if (unit.sw_state === "UNCLAIMED")
        return { word: "not claimed", kind: "warning", why: unit.note || "no driver takes it" };
    if (unit.note)
        return { word: "look at it", kind: "warning", why: unit.note };
    return { word: "good", kind: "success", why: "" };
}

// The newest event that says why, and what the message's explanation says to do.
function explained(events, explanations, is) {
    const event = [...events].reverse().find((e) => e.level <= WARNING && is(e));
    return { event, action: event && explanations.get(event.id)?.action };
}

function ofAddresses(world) {
    const found = [];
    for (const target of world.overview?.targets || [])
        for (const address of target.addresses) {
            const state = stateOf(address);
            if (state.kind === "success" || state.kind === "info")
                continue;
            const { action } = explained(world.events, world.explanations,
                (e) => e.target === target.name && (e.session === address.session_instance || e.session === null));
            found.push({
                kind: state.kind, what: `${target.alias || target.name} at ${portal(address)} is ${state.word}`,
                why: address.last_error || "", next: address.last_error_next || action || "log in again, and look at the events", target: target.name, address,
            });
        }
    return found;
}

function ofDiscovery(world) {
    return (world.discovery?.targets || []).filter((d) => d.last_scan && !d.last_scan.ok).map((d) => ({
        kind: "warning", what: `The discovery address ${portal(d)} did not answer`, why: d.last_scan.error || "",
        next: "check the address, the network and that the target runs, then scan again", discovery: d,
    }));
}

function ofUnits(world) {
    return units(world.overview).flatMap((u) => {
        const health = healthOf(u);
        // What its session's trouble explains is told there.
        const isExplained = u.address && stateOf(u.address).kind !== "success";
        return health.kind === "success" || isExplained ? [] : [{
            kind: health.kind, what: `Unit ${u.name} is ${health.word === "look at it" ? "not as usual" : health.word}`, why: health.why,
            next: explained(world.events, world.explanations, (e) => e.unit && e.unit === device(u)).action || "look at the unit on the target, then scan again",
            unit: u,
        }];
    });
}

function ofPrograms(world) {
    const down = (world.status?.programs || []).filter((p) => p.enabled && p.running === false);
    return down.length && world.status.status === "part" ? [{
        kind: "danger", what: `Not running, but should be: ${down.map((p) => p.name).join(", ")}`, why: "", next: "iscsi start", program: true,
    }] : [];
}

// Everything that is wrong: [{ kind, what, why, next }], the worst first.
export function troubles(world) {
    if (world.problem)
        return [{ kind: "danger", what: world.problem.message, why: "", next: world.problem.next, program: true }];
    const all = [...ofPrograms(world), ...ofAddresses(world), ...ofUnits(world), ...ofDiscovery(world)];
    return [...all.filter((t) => t.kind === "danger"), ...all.filter((t) => t.kind !== "danger")];
}

// Health in one sentence.
export function sentence(world) {
    if (world.problem)
        return "The initiator cannot be asked.";
    const wrong = troubles(world).length;
    const addresses = (world.overview?.targets || []).flatMap((t) => t.addresses);
    const online = addresses.filter((a) => a.state === "online").length;
    const all = units(world.overview).filter(isDisk);
    if (!addresses.length && !wrong)
        return "No target is known yet: add a discovery address.";
    const told = `${online} of ${count(addresses.length, "session")} online, ${count(all.length, "unit")}`;
    return wrong ? `${count(wrong, "thing needs", "things need")} attention: ${told}.` : `All is well: ${told}.`;
}

// ---- latency ----

const mean = (now, before) => (now.count > before.count ? (now.sum_us - before.sum_us) / (now.count - before.count) : null);

// The history of each unit with one look more: hw_path -> [{ at, read, write, reads, writes }]; times in microseconds, counts a second.
export function remember(history, before, overview, at) {
    const next = {};
    const last = new Map((before?.overview?.units || []).map((u) => [u.hw_path, u.io]));
    const seconds = before ? (at - before.at) / 1000 : 0;
    for (const { hw_path: path, io } of overview.units) {
        const old = last.get(path), points = history[path] || [];
        if (!io || !old || seconds <= 0 || io.reads.count < old.reads.count || io.writes.count < old.writes.count) {
            next[path] = points;
            continue;
        }
        const point = {
            at, read: mean(io.reads, old.reads), write: mean(io.writes, old.writes),
            reads: (io.reads.count - old.reads.count) / seconds, writes: (io.writes.count - old.writes.count) / seconds,
        };
        next[path] = [...points, point].slice(-POINTS_MAX);
    }
    return next;
}

// A chart in words, for those who do not see it.
export function told(points) {
    const part = (word, key) => {
        const values = points.map((p) => p[key]).filter((v) => v !== null);
        return values.length ? `${word}: last ${micros(values[values.length - 1])}, longest ${micros(Math.max(...values))}` : `no ${word}`;
    };
    return `${part("reads", "read")}; ${part("writes", "write")}`;
}
