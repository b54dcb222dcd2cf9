// Operational targets, by address: their sessions, and what can be done to them.
import React, { useEffect, useState } from "react";
import { Button, Card, CardBody, CardHeader, CardTitle, Flex } from "./pf.js";
import { Change, Foreign, Problem, State, Table } from "./parts.jsx";
import { stateOf } from "./model.js";
import { micros, portal, when } from "./words.js";
import { call } from "./call.js";
import * as forms from "./forms.js";

const SOURCES = { sendtargets: "found by discovery", slp: "found by SLP", static: "added by hand" };

// The login keys that a session negotiated, and its round trip: asked for when they are wanted.
function Session({ instance }) {
    const [told, setTold] = useState(null), [trip, setTrip] = useState(null);
    const session = told?.answer?.sessions[0];

    useEffect(() => {
        let isOver = false;
        call("session", { session: instance }).then((result) => isOver || setTold(result));
        return () => { isOver = true; };
    }, [instance]);
    return (
        <div className="openisw-details" role="group" aria-label={`Session ${instance}`} id={`session-${instance}`}>
            {told?.problems.map((p, i) => <Problem key={i} problem={p} />)}
            {session && (
                <>
                    <p>Opened {when(session.opened)}, queue depth {session.queue_depth}, {session.connections.map((c) => `${c.local} to ${c.peer}, ${c.state}`).join("; ")}</p>
                    <dl className="openisw-pairs">
                        {Object.entries(session.connections[0]?.negotiated || {}).map(([key, value]) => <div key={key}><dt>{key}</dt><dd><Foreign>{value}</Foreign></dd></div>)}
                    </dl>
                </>
            )}
            <Button variant="link" isInline onClick={async () => setTrip(await call("ping", { session: instance }))}>Ping</Button>{" "}
            <span role="status">{trip?.answer ? micros(trip.answer.rtt_us) : trip?.problems[0]?.message || ""}</span>
        </div>
    );
}

function addressColumns(target, { open, scan, shown, setShown }) {
    return [
        { name: "Address", isHeader: true, of: (a) => portal(a) },
        { name: "State", of: (a) => <State {...stateOf(a)} /> },
        { name: "Session", of: (a) => (a.session_instance === null ? "–" : (
            <Button variant="link" isInline aria-expanded={shown === a.session_instance} aria-controls={`session-${a.session_instance}`}
                onClick={() => setShown(shown === a.session_instance ? null : a.session_instance)}>Session {a.session_instance}</Button>
        )) },
        { name: "Last error", of: (a) => (
            <>
                <Foreign>{a.state === "online" ? "–" : a.last_error || "–"}</Foreign>
                {a.state !== "online" && a.last_error_next && <div>Next: {a.last_error_next}</div>}
                {a.next_try && <div>next try {when(a.next_try)}</div>}
                {a.redirected_to && <div>redirected to <Foreign>{a.redirected_to}</Foreign></div>}
            </>
        ) },
        { name: "Actions", isSilent: true, of: (a) => (
            <Flex className="openisw-actions">
                {a.session_instance !== null
                    ? <Change variant="secondary" size="sm" aria-label={`Log out of ${portal(a)}`} onClick={() => open(forms.logout(target, a))}>Log out…</Change>
                    : <Change variant="secondary" size="sm" aria-label={`Log in at ${portal(a)}`} onClick={() => scan("login", { target: target.name })}>Log in</Change>}
                <Change variant="link" isDanger size="sm" aria-label={`Remove ${portal(a)}`} onClick={() => open(forms.removeAddress(target, a))}>Remove…</Change>
            </Flex>
        ) },
    ];
}

function Target({ target, open, scan }) {
    const [shown, setShown] = useState(null);
    const name = target.alias || target.name, has = target.addresses.some((a) => a.session_instance === shown);
    return (
        <Card isCompact component="section" aria-label={name} data-target={target.name}>
            <CardHeader><CardTitle component="h2"><Foreign>{name}</Foreign></CardTitle></CardHeader>
            <CardBody>
                {target.alias && <p><Foreign>{target.name}</Foreign></p>}
                <p className="openisw-quiet">{SOURCES[target.source] || target.source}; {target.authentication_method[0] === "CHAP" ? `CHAP${target.chap_method === "CHAP_BI" ? " in both directions" : ""}` : "no authentication"}</p>
                <Table label={`Addresses of ${name}`} columns={addressColumns(target, { open, scan, shown, setShown })} rows={target.addresses} keyOf={portal} empty="It has no address." />
                {has && shown !== null && <Session instance={shown} />}
                <Flex className="openisw-actions">
                    <Change variant="secondary" size="sm" onClick={() => open(forms.credentials({ word: target.name, args: { target: target.name }, of: target }))}>Credentials…</Change>
                    <Change variant="secondary" size="sm" onClick={() => scan("login", { target: target.name })}>Log in</Change>
                    <Change variant="secondary" size="sm" onClick={() => open(forms.relogin(target))}>Log in anew…</Change>
                    <Change variant="secondary" size="sm" onClick={() => open(forms.logout(target))}>Log out…</Change>
                    <Change variant="link" isDanger size="sm" onClick={() => open(forms.removeTarget(target))}>Remove the target…</Change>
                </Flex>
            </CardBody>
        </Card>
    );
}

export function Targets({ world, open, scan }) {
    const targets = world.overview?.targets || [];
    return (
        <>
            <Flex className="openisw-actions">
                <Change variant="primary" onClick={() => open(forms.addTarget(scan))}>Add a target by hand…</Change>
            </Flex>
            {!targets.length && <p className="openisw-empty">No target is known. Add a discovery address, and scan.</p>}
            {targets.map((t) => <Target key={t.name} target={t} open={open} scan={scan} />)}
        </>
    );
}
