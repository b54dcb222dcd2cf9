// What the page knows: it asks the programs while it is looked at, and follows the event log, which tells when to ask at once.
import { useCallback, useEffect, useRef, useState } from "react";
import cockpit from "cockpit";
import { call, follow } from "./call.js";
import { named, remember } from "./model.js";

const EVERY_MS = 3000;
const AFTER_EVENT_MS = 200;
const AGAIN_MS = 15000;
const EVENTS_MAX = 2000;
const EVENTS_SINCE = "7d";

const EMPTY = {
    isReady: false, at: 0, problem: null, status: null, overview: null, discovery: null, initiator: null,
    events: [], eventsProblem: null, explanations: new Map(), history: {},
};

async function look(before) {
    const [overview, sessions, discovery, initiator] = await Promise.all(["overview", "sessions", "discovery", "initiator"].map((v) => call(v)));
    const at = Date.now();
    const world = { ...before, isReady: true, at, problem: overview.ok ? null : overview.problems[0] };
    if (!overview.ok || !before.status || at - (before.statusAt || 0) > 5 * EVERY_MS) {
        world.status = (await call("status")).answer;
        world.statusAt = at;
    }
    if (!overview.ok)
        return world;
    world.overview = named(overview.answer, sessions.answer);
    world.discovery = discovery.answer || before.discovery;
    world.initiator = initiator.answer || before.initiator;
    world.history = remember(before.history, before.overview && before, overview.answer, at);
    return world;
}

// { world, refresh }: refresh() asks at once, and resolves when that is shown.
export function useWorld() {
    const [world, setWorld] = useState(EMPTY);
    const known = useRef(EMPTY), busy = useRef(null);

    const put = useCallback((next) => { known.current = next; setWorld(next); }, []);
    const refresh = useCallback(async () => {
        while (busy.current)
            await busy.current;
        busy.current = look(known.current).then((next) => put({
            ...next, events: known.current.events, eventsProblem: known.current.eventsProblem, explanations: known.current.explanations,
        }));
        await busy.current.finally(() => { busy.current = null; });
    }, [put]);

    useEffect(() => {
        const ask = () => { if (!document.hidden && !busy.current) refresh(); };
        const timer = setInterval(ask, EVERY_MS);
        document.addEventListener("visibilitychange", ask);
        ask();
        return () => { clearInterval(timer); document.removeEventListener("visibilitychange", ask); };
    }, [refresh]);

    // Begun anew when the driver is there again, and some time after it ended for another reason.
    const isThere = world.isReady && !world.problem;
    const [turn, setTurn] = useState(0);
    useEffect(() => {
        if (!isThere)
            return undefined;
        let soon = null, again = null, isOver = false;
        call("explain").then(({ answer }) => {
            if (answer && !isOver)
                put({ ...known.current, explanations: new Map(answer.messages.map((m) => [m.id, m])) });
        });
        put({ ...known.current, events: [], eventsProblem: null });
        const stream = follow(EVENTS_SINCE, (events) => {
            put({ ...known.current, events: [...known.current.events, ...events].slice(-EVENTS_MAX) });
            clearTimeout(soon);
            soon = setTimeout(() => document.hidden || refresh(), AFTER_EVENT_MS);
        }, (problem) => {
            put({ ...known.current, eventsProblem: problem });
            refresh();
            again = setTimeout(() => setTurn((n) => n + 1), AGAIN_MS);
        });
        return () => { isOver = true; clearTimeout(soon); clearTimeout(again); stream.close(); };
    }, [isThere, turn, put, refresh]);

    return { world, refresh };
}

// Whether this user may change something: true, false, or null where that is not known yet.
export function useMay() {
    const [may, setMay] = useState(null);

    useEffect(() => {
        const permission = cockpit.permission({ admin: true });
        const told = () => setMay(permission.allowed ?? null);
        permission.addEventListener("changed", told);
        told();
        return () => { permission.removeEventListener("changed", told); permission.close(); };
    }, []);
    return may;
}

// The page's place in the address: ["targets"], kept by Cockpit.
export function usePath() {
    const [path, setPath] = useState(cockpit.location.path);

    useEffect(() => {
        const moved = () => setPath(cockpit.location.path);
        cockpit.addEventListener("locationchanged", moved);
        return () => cockpit.removeEventListener("locationchanged", moved);
    }, []);
    return [path, (to) => cockpit.location.go(to)];
}
