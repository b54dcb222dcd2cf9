// First: health in one sentence, what is wrong with its next step, and what there is.
import React from "react";
import {
    Alert, Button, Card, CardBody, CardTitle, DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm, Flex, Gallery, Title,
} from "./pf.js";
import { Change, Foreign } from "./parts.jsx";
import { sentence, stateOf, troubles, units, isDisk, device, healthOf } from "./model.js";
import { count, size } from "./words.js";
import * as forms from "./forms.js";

function Fact({ name, children }) {
    return (
        <DescriptionListGroup>
            <DescriptionListTerm>{name}</DescriptionListTerm>
            <DescriptionListDescription>{children}</DescriptionListDescription>
        </DescriptionListGroup>
    );
}

// What can be done about it from here.
function Remedies({ trouble, open, scan, go }) {
    const { target, address, unit, discovery } = trouble;
    return (
        <Flex className="openisw-actions">
            {target && <Change variant="secondary" size="sm" onClick={() => open(forms.credentials({ word: target, args: { target }, of: address }))}>Credentials…</Change>}
            {target && <Change variant="secondary" size="sm" onClick={() => scan("login", { target })}>Log in again</Change>}
            {discovery && <Change variant="secondary" size="sm" onClick={() => scan("scan")}>Scan again</Change>}
            {discovery && <Button variant="link" size="sm" onClick={() => go("discovery")}>Discovery</Button>}
            {unit && <Button variant="link" size="sm" onClick={() => go("units")}>Units</Button>}
            {(target || unit) && <Button variant="link" size="sm" onClick={() => go("events")}>Events</Button>}
        </Flex>
    );
}

function Trouble({ trouble, ...more }) {
    return (
        <Alert isInline variant={trouble.kind} title={<Foreign>{trouble.what}</Foreign>} component="h3" className="openisw-told" data-trouble="">
            {trouble.why && <p><Foreign>{trouble.why}</Foreign></p>}
            {trouble.next && <p>Next: <Foreign>{trouble.next}</Foreign></p>}
            {!trouble.program && <Remedies trouble={trouble} {...more} />}
        </Alert>
    );
}

export function Overview({ world, open, scan, isScanning, go }) {
    const wrong = troubles(world);
    const targets = world.overview?.targets || [], all = units(world.overview), disks = all.filter(isDisk);
    const addresses = targets.flatMap((t) => t.addresses);
    const of = (kind) => addresses.filter((a) => stateOf(a).kind === kind).length;
    const without = disks.filter((u) => !device(u) && healthOf(u).kind !== "danger");
    const worst = wrong.some((t) => t.kind === "danger") ? "danger" : wrong.length ? "warning" : addresses.length ? "success" : "info";
    return (
        <>
            <Alert isInline variant={worst} title={sentence(world)} component="h2" data-health={worst} className="openisw-told" />
            {wrong.length > 0 && <Title headingLevel="h2" size="md" className="openisw-title">What is wrong</Title>}
            {wrong.map((t, i) => <Trouble key={i} trouble={t} open={open} scan={scan} go={go} />)}
            <Flex className="openisw-actions">
                <Change variant="primary" onClick={() => open(forms.addDiscovery(scan))}>Add a discovery address…</Change>
                <Change variant="secondary" isDisabled={isScanning} onClick={() => scan("scan")}>Scan</Change>
                {without.length > 0 && <Change variant="secondary" onClick={() => open(forms.makeFiles(null))}>Make device files of {count(without.length, "disk")}…</Change>}
            </Flex>
            <Gallery hasGutter minWidths={{ default: "15rem" }}>
                <Card isCompact>
                    <CardTitle component="h2">Targets</CardTitle>
                    <CardBody>
                        <DescriptionList isHorizontal isCompact>
                            <Fact name="Targets">{targets.length}</Fact>
                            <Fact name="Sessions online">{of("success")} of {addresses.length}</Fact>
                            <Fact name="In trouble">{of("danger") + of("warning")}</Fact>
                        </DescriptionList>
                        <Button variant="link" isInline className="openisw-more" onClick={() => go("targets")}>All targets</Button>
                    </CardBody>
                </Card>
                <Card isCompact>
                    <CardTitle component="h2">Units</CardTitle>
                    <CardBody>
                        <DescriptionList isHorizontal isCompact>
                            <Fact name="Disks">{disks.length}</Fact>
                            <Fact name="Size">{size(disks.reduce((n, u) => n + (u.size_bytes || 0), 0))}</Fact>
                            <Fact name="In use">{disks.filter((u) => u.in_use).length}</Fact>
                        </DescriptionList>
                        <Button variant="link" isInline className="openisw-more" onClick={() => go("units")}>All units</Button>
                    </CardBody>
                </Card>
                <Card isCompact>
                    <CardTitle component="h2">This initiator</CardTitle>
                    <CardBody>
                        <DescriptionList isCompact>
                            <Fact name="Name"><Foreign>{world.initiator?.name || "not for you to see"}</Foreign></Fact>
                            <Fact name="Programs">{(world.status?.programs || []).filter((p) => p.running).map((p) => p.name).join(", ") || "not known"}</Fact>
                        </DescriptionList>
                    </CardBody>
                </Card>
            </Gallery>
        </>
    );
}
