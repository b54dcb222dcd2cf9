// Discovery addresses, and what a scan finds.
import React from "react";
import { Flex } from "./pf.js";
import { Change, Foreign, State, Table } from "./parts.jsx";
import { ago, count, portal, when } from "./words.js";
import * as forms from "./forms.js";

function lastScan(d) {
    if (!d.last_scan)
        return "never";
    return <span title={when(d.last_scan.time)}>{ago(d.last_scan.time)}</span>;
}

function found(d) {
    if (!d.last_scan)
        return <State word="not asked" kind="info" />;
    if (d.last_scan.ok)
        return <State word={count(d.last_scan.targets, "target")} kind="success" />;
    return <><State word="failed" kind="danger" /> <Foreign>{d.last_scan.error}</Foreign></>;
}

export function Discovery({ world, open, scan, isScanning }) {
    const columns = [
        { name: "Address", isHeader: true, of: (d) => portal(d) },
        { name: "Found", of: found },
        { name: "Last asked", of: lastScan },
        { name: "Authentication", of: (d) => d.authentication_method.join(", ") },
        { name: "Actions", isSilent: true, of: (d) => (
            <Flex className="openisw-actions">
                <Change variant="secondary" size="sm" aria-label={`Credentials of ${portal(d)}`} onClick={() => open(forms.credentials(
                    { word: `the discovery address ${portal(d)}`, args: { address: d.address, port: d.port, tpgt: d.tpgt }, of: d }))}>Credentials…</Change>
                <Change variant="link" isDanger size="sm" aria-label={`Remove ${portal(d)}`} onClick={() => open(forms.removeDiscovery(d))}>Remove…</Change>
            </Flex>
        ) },
    ];
    return (
        <>
            <Flex className="openisw-actions">
                <Change variant="primary" onClick={() => open(forms.addDiscovery(scan))}>Add a discovery address…</Change>
                <Change variant="secondary" isDisabled={isScanning} onClick={() => scan("scan")}>Scan</Change>
            </Flex>
            <Table label="Discovery addresses" columns={columns} rows={world.discovery?.targets || []} keyOf={portal}
                empty="No discovery address is configured." />
            {world.initiator && (
                <p className="openisw-quiet">SLP is asked in the scopes {world.initiator.slp_scopes.join(", ")}, where islpd(8) runs.{" "}
                    <Change variant="link" isInline onClick={() => open(forms.scopes(world.initiator))}>Change the scopes…</Change></p>
            )}
        </>
    );
}
