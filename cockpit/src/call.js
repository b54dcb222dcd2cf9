// Runs the product's programs, and reads what they print: an answer on the standard output, what is wrong one object a line of
// the standard error.
import cockpit from "cockpit";
import { commandLine, secretsOf } from "./verbs.js";

const BUFFER_MAX = 64 * 1024 * 1024;

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

// What cockpit itself says, in the shape of the programs' own problems.
function foreign(failure) {
    const words = {
        "not-found": ["the program is not installed", "install the package openisw on this host"],
        "access-denied": ["access is denied", "turn on administrative access at the top of Cockpit"],
        terminated: ["the program was ended", "try again"],
    };
    const [message, next] = words[failure.problem] || [failure.message || String(failure), null];
    return { code: failure.problem || "INTERNAL", message, next };
}

// Lines that are objects of their own (problems, notes, progress) apart from the rest, which is the answer.
export function sort(text, result, onProgress) {
    const rest = [];
    for (const line of text.split("\n")) {
        const object = /^\{"(error|note|progress)":/.test(line) ? parse(line) : null;
        if (object?.error)
            result.problems.push(object.error);
        else if (object?.note)
            result.notes.push(object.note);
        else if (object?.progress)
            onProgress?.(object.progress);
        else
            rest.push(line);
    }
    return rest.join("\n");
}

// Resolves always: { ok, status, answer, problems: [{ code, message, next }], notes: [] }.
export function call(name, args = {}, onProgress = null) {
    const child = cockpit.spawn(commandLine(name, args), { superuser: "try", err: onProgress ? "out" : "message" });
    const result = { ok: false, status: null, answer: null, problems: [], notes: [] };
    let text = "", line = "";

    child.stream((part) => {
        text += part;
        if (text.length > BUFFER_MAX)
            child.close("too-large");
        if (!onProgress)
            return;
        const lines = (line + part).split("\n");
        line = lines.pop();
        sort(lines.join("\n"), { problems: [], notes: [] }, onProgress);
    });
    const secrets = secretsOf(args);
    if (secrets)
        child.input(secrets);
    return new Promise((resolve) => {
        const end = (failure) => {
            result.answer = parse(sort(text, result));
            result.status = failure ? failure.exit_status ?? null : 0;
            const rest = failure ? sort(failure.message || "", result).trim() : "";
            if (failure && !result.problems.length && (!result.answer || failure.problem))
                result.problems.push(foreign({ ...failure, message: rest }));
            result.ok = !failure;
            resolve(result);
        };
        child.then(() => end(null), end);
    });
}

// Calls with each event from `since` on, until close() of what is returned; `ended` with the problem, or null, when it ends by itself.
export function follow(since, onEvents, ended) {
    const child = cockpit.spawn(commandLine("events", { since }), { superuser: "try", err: "message" });
    let line = "", closed = false;

    child.stream((part) => {
        const lines = (line + part).split("\n");
        line = lines.pop();
        const events = lines.map(parse).filter((e) => e?.id);
        if (events.length)
            onEvents(events);
    });
    const end = (failure) => {
        const result = { problems: [], notes: [] };
        if (closed)
            return;
        const rest = failure ? sort(failure.message || "", result).trim() : "";
        ended(failure ? result.problems[0] || foreign({ ...failure, message: rest }) : null);
    };
    child.then(() => end(null), end);
    return { close() { closed = true; child.close(); } };
}
