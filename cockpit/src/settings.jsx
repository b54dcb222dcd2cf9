// What is configured, by level: for all targets, a target, one of its addresses, a discovery address.
import React, { useState } from "react";
import { Card, CardBody, CardTitle, Flex, FormGroup, FormSelect, FormSelectOption, FormSelectOptionGroup } from "./pf.js";
import { Change, Foreign, State, Table } from "./parts.jsx";
import { FROM, LEVEL_WORDS, list, portal } from "./words.js";
import * as forms from "./forms.js";

const PLAIN = [["source_address", "SourceAddress"], ["interface", "Interface"], ["congestion_control", "CongestionControl"], ["filters", "Filters"], ["discovery_share", "DiscoveryShare"]];

// [{ id, label, group, word, args, of }]
function scopesOf(world) {
    const scopes = world.initiator ? [{ id: "all", label: "All targets", group: "Everything", word: "all targets", args: {}, of: world.initiator }] : [];
    for (const t of world.overview?.targets || []) {
        const name = t.alias || t.name;
        scopes.push({ id: `t ${t.name}`, label: name, group: "Targets", word: t.name, args: { target: t.name }, of: t });
        for (const a of t.addresses)
            scopes.push({ id: `a ${t.name} ${portal(a)}`, label: `${name} at ${portal(a)}`, group: "Addresses of targets", word: `${t.name} at ${portal(a)}`,
                args: { target: t.name, address: a.address, port: a.port, tpgt: a.tpgt }, of: a });
    }
    for (const d of world.discovery?.targets || [])
        scopes.push({ id: `d ${portal(d)}`, label: portal(d), group: "Discovery addresses", word: `the discovery address ${portal(d)}`,
            args: { address: d.address, port: d.port, tpgt: d.tpgt }, of: d });
    return scopes;
}

// [{ key, value, from, isList, isHere }] of everything that can be set there.
function rowsOf(of) {
    const pair = ([key, e]) => ({ key, value: list(e.value), from: e.from, isList: Array.isArray(e.value), isHere: key in of.configured });
    return [
        ...Object.entries(of.keys).map(pair),
        ...Object.entries(of.timers).map(([key, e]) => ({ ...pair([key, { value: String(e.seconds), from: e.from }]), unit: "s" })),
        ...Object.entries(of.choices).map(pair),
        ...PLAIN.filter(([member]) => member in of).map(([member, key]) => pair([key, { value: of[member], from: of.inherited[key]?.from || (of[member] ? null : "default") }])),
    ];
}

function Initiator({ initiator, open }) {
    const rows = [
        ["Name", initiator.name, () => forms.initiatorName(initiator)],
        ["Alias", initiator.alias || "none", () => forms.initiatorName(initiator)],
        ["RADIUS server", initiator.radius_server_hostname || "none", () => forms.radius(initiator)],
        ["SLP scopes", initiator.slp_scopes.join(", "), () => forms.scopes(initiator)],
        ["Level of the system's log", `${initiator.log_level} ${LEVEL_WORDS[initiator.log_level] || ""}`, () => forms.logLevel(initiator, LEVEL_WORDS)],
    ];
    return (
        <Card isCompact component="section" aria-label="This initiator">
            <CardTitle component="h2">This initiator</CardTitle>
            <CardBody>
                <Table label="This initiator" rows={rows} keyOf={(r) => r[0]} columns={[
                    { name: "Setting", isHeader: true, of: (r) => r[0] },
                    { name: "Value", of: (r) => <Foreign>{r[1]}</Foreign> },
                    { name: "Actions", isSilent: true, of: (r) => <Change variant="link" size="sm" aria-label={`Change ${r[0]}`} onClick={() => open(r[2]())}>Change…</Change> },
                ]} />
            </CardBody>
        </Card>
    );
}

export function Settings({ world, open }) {
    const [id, setId] = useState("all");
    const scopes = scopesOf(world);
    const scope = scopes.find((s) => s.id === id) || scopes[0];
    const groups = [...new Set(scopes.map((s) => s.group))];
    if (!scope)
        return <p className="openisw-empty">Nothing is configured that you may see.</p>;
    const word = (r) => (r.isHere ? <State word="here" kind="success" /> : FROM[r.from] || "default");
    const columns = [
        { name: "Key", isHeader: true, of: (r) => r.key },
        { name: "Value", of: (r) => <Foreign>{r.value ? r.value + (r.unit ? ` ${r.unit}` : "") : "–"}</Foreign> },
        { name: "Configured for", of: word },
        { name: "Actions", isSilent: true, of: (r) => (
            <Flex className="openisw-actions">
                <Change variant="link" size="sm" aria-label={`Change ${r.key}`} onClick={() => open(forms.setting(scope, r))}>Change…</Change>
                {r.isHere && <Change variant="link" isDanger size="sm" aria-label={`Take ${r.key} away`} onClick={() => open(forms.unset(scope, r))}>Take away…</Change>}
            </Flex>
        ) },
    ];
    return (
        <>
            {world.initiator && <Initiator initiator={world.initiator} open={open} />}
            <Card isCompact component="section" aria-label="Login keys and time limits">
                <CardTitle component="h2">Login keys and time limits</CardTitle>
                <CardBody>
                    <FormGroup label="What is configured for" fieldId="scope">
                        <FormSelect id="scope" value={scope.id} onChange={(_e, v) => setId(v)}>
                            {groups.map((g) => (
                                <FormSelectOptionGroup key={g} label={g}>
                                    {scopes.filter((s) => s.group === g).map((s) => <FormSelectOption key={s.id} value={s.id} label={s.label} />)}
                                </FormSelectOptionGroup>
                            ))}
                        </FormSelect>
                    </FormGroup>
                    <p className="openisw-quiet">An address counts before its target, a target before all targets. iscsi-keys(7) describes each of them.</p>
                    <Flex className="openisw-actions"><Change variant="secondary" size="sm" onClick={() => open(forms.credentials(scope))}>Credentials…</Change></Flex>
                    <Table label="Login keys and time limits" columns={columns} rows={rowsOf(scope.of)} keyOf={(r) => r.key} empty="There is nothing to configure." />
                </CardBody>
            </Card>
        </>
    );
}
