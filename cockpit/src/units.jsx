// Units: size, device, use, health, latency, and the paths to them.
import React from "react";
import { Card, CardBody, CardHeader, CardTitle, Flex } from "./pf.js";
import { Change, Foreign, State, Table } from "./parts.jsx";
import { Chart } from "./chart.jsx";
import { device, healthOf, isDisk, stateOf, units } from "./model.js";
import { micros, portal, size, when } from "./words.js";
import * as forms from "./forms.js";

const PATHS = [
    { name: "Hardware path", isHeader: true, of: (p) => p.hw_path },
    { name: "Address", of: (p) => (p.address ? portal(p.address) : "–") },
    { name: "Session", of: (p) => (p.address ? <State {...stateOf(p.address)} /> : "none") },
    { name: "Used for input and output", of: (p) => (device(p) ? "yes" : "no") },
];

function Io({ unit }) {
    const { io } = unit;
    if (!io)
        return null;
    const kinds = [["Reads", io.reads], ["Writes", io.writes]];
    return (
        <Table label={`Input and output of ${unit.name}`} rows={kinds} keyOf={(k) => k[0]} columns={[
            { name: "Since counting", isHeader: true, of: (k) => k[0] },
            { name: "Count", of: (k) => k[1].count.toLocaleString() },
            { name: "Bytes", of: (k) => size(k[1].bytes) },
            { name: "Mean", of: (k) => micros(k[1].count ? k[1].mean_us : null) },
            { name: "99%", of: (k) => micros(k[1].count ? k[1].p99_us : null) },
            { name: "Longest", of: (k) => micros(k[1].count ? k[1].max_us : null) },
        ]} />
    );
}

function Unit({ unit, world, open }) {
    const health = healthOf(unit);
    const facts = [
        ...(isDisk(unit) ? [] : [["Class", unit.class]]),
        ["Size", unit.size_bytes === undefined ? "–" : size(unit.size_bytes) + (unit.read_only ? ", read only" : "")],
        ["Device", unit.block || unit.dsk || unit.nbd || "none"],
        ["Used by", unit.usedBy.length ? unit.usedBy.join(", ") : unit.in_use ? "somebody" : "nobody"],
        ["Hardware path", unit.hw_path],
        ["Product", unit.description || "–"],
        ["Serial", unit.serial || "–"],
        ["Target", unit.target_name || "–"],
        ["Errors", unit.io ? `${unit.io.errors}, ${unit.io.retries} tried again` : "–"],
    ];
    return (
        <Card isCompact component="section" aria-label={`Unit ${unit.name}`} data-unit={unit.name}>
            <CardHeader><CardTitle component="h2">{unit.name} <State word={health.word} kind={health.kind} /></CardTitle></CardHeader>
            <CardBody>
                {health.why && <p><Foreign>{health.why}</Foreign></p>}
                <div className="openisw-columns">
                    <dl className="openisw-pairs">{facts.map(([k, v]) => <div key={k}><dt>{k}</dt><dd><Foreign>{v}</Foreign></dd></div>)}</dl>
                    {(isDisk(unit) || unit.io) && (
                        <div>
                            <h3 className="openisw-small">Latency</h3>
                            <Chart name={unit.name} points={world.history[unit.hw_path] || []} />
                        </div>
                    )}
                </div>
                {unit.trouble && (
                    <p>Last trouble, {when(unit.trouble.time)}: <Foreign>{unit.trouble.text}</Foreign>
                        {world.explanations.get(unit.trouble.id) && <> Next: {world.explanations.get(unit.trouble.id).action}</>}</p>
                )}
                <Io unit={unit} />
                <h3 className="openisw-small">Paths</h3>
                <Table label={`Paths to ${unit.name}`} rows={unit.paths} keyOf={(p) => p.hw_path} columns={PATHS} />
                <Flex className="openisw-actions">
                    {device(unit)
                        ? <Change variant="secondary" size="sm" onClick={() => open(forms.removeFiles(unit))}>Remove device files…</Change>
                        : unit.class === "disk" && <Change variant="secondary" size="sm" onClick={() => open(forms.makeFiles(unit))}>Make device files…</Change>}
                    {unit.sw_state === "NO_HW" && <Change variant="link" isDanger size="sm" onClick={() => open(forms.forget(unit))}>Forget…</Change>}
                </Flex>
            </CardBody>
        </Card>
    );
}

export function Units({ world, open }) {
    const all = units(world.overview);
    if (!all.length)
        return <p className="openisw-empty">No unit is known. Log in to a target, or scan.</p>;
    return all.map((u) => <Unit key={u.hw_path} unit={u} world={world} open={open} />);
}
