// Every dialog of the page: what it asks, and which commands it runs.
import { portal } from "./words.js";

const PORTAL = [
    { id: "address", label: "Address", isRequired: true, help: "IPv4 or IPv6 address, or host name, of a target portal" },
    { id: "port", label: "TCP port", kind: "number", initial: "3260", isRequired: true },
];
const SCAN = { id: "scan", label: "Look for its targets and disks now", kind: "check", initial: true };
const NOW = { id: "now", label: "Have it count now", kind: "check", initial: true, help: "Sessions that it concerns log out and in again, one after the other; their input and output waits." };
const FORCE = { force: true };

export const addDiscovery = (scan) => ({
    title: "Add a discovery address", action: "Add", fields: [...PORTAL, SCAN],
    steps: (v) => [["addDiscovery", { address: v.address.trim(), port: v.port }]],
    after: (v) => v.scan && scan("scan"),
});

export const addTarget = (scan) => ({
    title: "Add a target by hand", action: "Add",
    text: "For a target that no discovery names, or that names an address which cannot be reached from here.",
    fields: [{ id: "target", label: "Target name", isRequired: true, help: "its iSCSI name, as iqn.2001-04.com.example:disks" }, ...PORTAL, SCAN],
    steps: (v) => [["addTarget", { target: v.target.trim(), address: v.address.trim(), port: v.port }]],
    after: (v) => v.scan && scan("login", { target: v.target.trim() }),
});

export const removeDiscovery = (d) => ({
    title: `Remove the discovery address ${portal(d)}?`, action: "Remove", danger: "Nothing new is found through it any more.", ...FORCE,
    fields: [{ id: "targets", label: "Also remove the targets that only it has named", kind: "check", help: "Their sessions are logged out." }],
    steps: (v) => [["removeDiscovery", { ...d, targets: v.targets }]],
});

export const removeTarget = (t) => ({
    title: "Remove the target?", text: t.name, action: "Remove", danger: "It is forgotten with all its addresses, and its sessions are logged out.", ...FORCE,
    steps: () => [["removeTarget", { target: t.name }]],
});

export const removeAddress = (t, a) => ({
    title: `Remove the address ${portal(a)}?`, text: t.name, action: "Remove", danger: "Its session is logged out.", ...FORCE,
    steps: () => [["removeTarget", { target: t.name, ...a }]],
});

export const logout = (t, a) => ({
    title: a ? `Log out of ${portal(a)}?` : "Log out?", text: t.name, action: "Log out", danger: "Its disks are not there until it is logged in again.", ...FORCE,
    steps: () => [["logout", a ? { target: t.name, ...a } : { target: t.name }]],
});

export const relogin = (t) => ({
    title: "Log in anew?", text: t.name, action: "Log in anew", danger: "Its sessions log out and in again, with what is configured now; input and output waits meanwhile.",
    steps: () => [["relogin", { target: t.name }]],
});

// scope: { word, args, of }: where it counts, and what counts there now.
export const credentials = (scope) => ({
    title: "Credentials", text: `CHAP, for ${scope.word}.`, action: "Save",
    fields: [
        { id: "method", label: "Authentication", kind: "choice", initial: initialMethod(scope.of), options: [
            ["CHAP_UNI", "CHAP: the target authenticates this host"], ["CHAP_BI", "CHAP in both directions"], ["None", "None"],
            ["default", "As configured above this level"]] },
        { id: "name", label: "CHAP name", initial: scope.of?.initiator_chap_name || "", when: isChap, help: "empty: the initiator's iSCSI name" },
        { id: "secret", label: "CHAP secret", kind: "secret", when: isChap, isRequired: !scope.of?.chap_secret_set,
            help: scope.of?.chap_secret_set ? "A secret is set; leave it empty to keep it." : "12 to 16 characters suit every target" },
        { id: "targetName", label: "The target's CHAP name", initial: scope.of?.target_chap_name || "", when: isBoth, help: "empty: any" },
        { id: "targetSecret", label: "The target's secret", kind: "secret", when: isBoth,
            help: scope.of?.target_chap_secret_set ? "A secret is set; leave it empty to keep it." : "empty: the RADIUS server is asked" },
        NOW,
    ],
    steps: (v) => authentication(scope, v),
});

const isChap = (v) => v.method === "CHAP_UNI" || v.method === "CHAP_BI";
const isBoth = (v) => v.method === "CHAP_BI";

function initialMethod(of) {
    if (!of || of.authentication_method[0] !== "CHAP")
        return "CHAP_UNI";
    return of.chap_method;
}

// The last command has sessions log in again, once, with all of it; what it warns of is what is left to be warned of.
function authentication({ args }, v) {
    const offer = { ...args, key: "AuthMethod", values: [isChap(v) ? "CHAP" : v.method] };
    if (!isChap(v))
        return [["set", { ...offer, now: v.now }]];
    return [
        ["set", offer],
        ["authenticate", { ...args, method: v.method, name: v.name || "default", secret: v.secret, now: v.now,
            targetName: isBoth(v) ? v.targetName || "default" : null, targetSecret: isBoth(v) ? v.targetSecret : null }],
    ];
}

export const setting = (scope, row) => ({
    title: row.key, text: `For ${scope.word}. What counts there now: ${row.value || "nothing"}.`, action: "Save",
    fields: [
        { id: "values", label: "Value", initial: row.value, isRequired: true, help: row.isList ? "several in order of preference, with blanks between; default takes the setting away" : "default takes the setting away" },
        NOW,
    ],
    steps: (v) => [["set", { ...scope.args, key: row.key, values: v.values.trim().split(/[\s,]+/), now: v.now }]],
});

export const unset = (scope, row) => ({
    title: `Take ${row.key} away?`, text: `For ${scope.word}. What is configured above this level counts there then.`, action: "Take away", fields: [NOW],
    steps: (v) => [["set", { ...scope.args, key: row.key, values: ["default"], now: v.now }]],
});

export const initiatorName = (i) => ({
    title: "The initiator's name", action: "Save", text: "It counts from the next login of each session.",
    fields: [{ id: "name", label: "iSCSI name", initial: i.name, isRequired: true }, { id: "alias", label: "Alias", initial: i.alias }],
    steps: (v) => [["nameInitiator", { name: v.name.trim(), alias: v.alias }]],
});

export const logLevel = (i, words) => ({
    title: "Level of the system's log", action: "Save",
    fields: [{ id: "level", label: "Messages of this and lower levels", kind: "choice", initial: words[i.log_level], options: words.map((w, n) => [w, `${n} ${w}`]) }],
    steps: (v) => [["logLevel", { level: v.level }]],
});

export const radius = (i) => ({
    title: "RADIUS", action: "Save", text: "The server that verifies targets with CHAP in both directions.",
    fields: [
        { id: "nas", label: "This host, as the server knows it", initial: i.nas_hostname, isRequired: true },
        { id: "nasSecret", label: "Their secret", kind: "secret", isRequired: true },
        { id: "server", label: "RADIUS server", initial: i.radius_server_hostname, isRequired: true },
    ],
    steps: (v) => [["radius", { nas: v.nas, nasSecret: v.nasSecret, server: v.server }]],
});

export const scopes = (i) => ({
    title: "SLP scopes", action: "Save", fields: [{ id: "scopes", label: "Scopes", initial: i.slp_scopes.join(","), isRequired: true, help: "separated by commas, or default" }],
    steps: (v) => [["scopes", { scopes: v.scopes }]],
});

export const makeFiles = (u) => ({
    title: "Make device files", text: u ? `Of the unit at ${u.hw_path}.` : "Of all disks that have none.", action: "Make them",
    steps: () => [["makeFiles", { path: u ? u.hw_path : "255" }]],
});

export const removeFiles = (u) => ({
    title: `Remove the device files of ${u.name}?`, text: u.hw_path, action: "Remove", danger: "Programs do not find the disk any more.", ...FORCE,
    steps: () => [["removeFiles", { path: u.hw_path }]],
});

export const forget = (u) => ({
    title: `Forget ${u.name}?`, text: u.hw_path, action: "Forget", danger: "For a unit that is gone for good: its device files and its hardware path are free again.",
    steps: () => [["forget", { path: u.hw_path }]],
});
