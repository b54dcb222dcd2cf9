// Every command that the page calls, and nothing else calls one: the program, its words, what its answer is called in
// doc/schema.json, and whether it changes something.  A secret is never a word: "-" reads it from the standard input.
const at = ({ address, port, tpgt }) => ["-I", address, ...(port ? ["-P", String(port)] : []), ...(tpgt ? ["-M", String(tpgt)] : [])];
// Where a setting counts: for all targets, a target, one of its addresses, or a discovery address.
const level = ({ target, address, port, tpgt }) => [...(target ? ["-T", target] : []), ...(address ? at({ address, port, tpgt }) : [])];
const now = (a) => (a.now ? ["--now"] : []);
const force = (a) => (a.force ? ["--force"] : []);

const look = (program, answer, words) => ({ program, answer, words, changes: false });
const change = (program, answer, words) => ({ program, answer, words, changes: true });

export const verbs = {
    status: look("iscsi", "status", () => ["status"]),
    overview: look("iscsiutil", "overview", () => ["-o"]),
    discovery: look("iscsiutil", "discovery", () => ["-p", "-D"]),
    initiator: look("iscsiutil", "initiator", () => ["-l", "-V"]),
    sessions: look("iscsiutil", "sessions", () => ["-p", "-S"]),
    session: look("iscsiutil", "sessions", (a) => ["-p", "-S", String(a.session), "-V"]),
    events: look("iscsiutil", "event", (a) => ["--events", "--follow", "--since", a.since]),
    explain: look("iscsiutil", "explanations", () => ["--explain", "all"]),
    ping: look("iscsiutil", "round_trip", (a) => ["-n", "-S", String(a.session)]),

    scan: change("ioscan", "scan", () => ["-H", "255", "--progress"]),
    login: change("ioscan", "scan", (a) => ["--target", a.target, "--progress"]),
    logout: change("iscsiutil", "logged_out", (a) => ["-d", "-S", ...level(a), ...force(a)]),
    relogin: change("iscsiutil", "renewed", (a) => ["--relogin", "-T", a.target]),

    addDiscovery: change("iscsiutil", "addresses", (a) => ["-a", ...at(a)]),
    removeDiscovery: change("iscsiutil", "addresses", (a) => ["-d", ...at(a), ...(a.targets ? ["--targets"] : []), ...force(a)]),
    addTarget: change("iscsiutil", "addresses", (a) => ["-a", ...level(a)]),
    removeTarget: change("iscsiutil", "targets_removed", (a) => ["-d", ...level(a), ...force(a)]),

    set: change("iscsiutil", "set", (a) => ["-t", a.key, ...a.values, ...level(a), ...now(a)]),
    authenticate: change("iscsiutil", "authentication_set", (a) => ["-u", "-H", a.method, "-N", a.name,
        ...(a.secret ? ["-W", "-"] : []),
        ...(a.targetName ? ["--target-name", a.targetName] : []),
        ...(a.targetSecret ? ["--target-secret", "-"] : []), ...level(a), ...now(a)]),
    radius: change("iscsiutil", "radius_set", (a) => ["-u", "-R", a.nas, "-", a.server]),
    nameInitiator: change("iscsiutil", "initiator_set", (a) => ["-i", "-N", a.name, "-A", a.alias || "default"]),
    logLevel: change("iscsiutil", "level_set", (a) => ["-b", a.level]),
    scopes: change("iscsiutil", "slp_set", (a) => ["-g", "-F", a.scopes]),

    makeFiles: change("insf", "installed", (a) => ["-H", a.path]),
    removeFiles: change("rmsf", "removed", (a) => ["-H", a.path, ...force(a)]),
    forget: change("rmsf", "forgotten", (a) => ["-x", "-H", a.path]),
};

// The lines for the standard input, in the order in which the program asks.
export function secretsOf(args) {
    const secrets = [args.secret, args.targetSecret, args.nasSecret].filter(Boolean);
    return secrets.length ? secrets.join("\n") + "\n" : "";
}

export function commandLine(name, args) {
    return [verbs[name].program, ...verbs[name].words(args || {}), "--json"];
}
