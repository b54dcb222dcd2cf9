// The page: its parts as tabs, who may change something, and one dialog at a time.
import React, { useCallback, useEffect, useRef, useState } from "react";
import { Alert, EmptyState, EmptyStateBody, Page, PageSection, Spinner, Tab, TabContent, TabContentBody, TabTitleText, Tabs, Title } from "./pf.js";
import { useMay, usePath, useWorld } from "./store.js";
import { May } from "./parts.jsx";
import { Dialog } from "./dialog.jsx";
import { useScan } from "./scan.jsx";
import { Overview } from "./overview.jsx";
import { Targets } from "./targets.jsx";
import { Units } from "./units.jsx";
import { Discovery } from "./discovery.jsx";
import { Events } from "./events.jsx";
import { Settings } from "./settings.jsx";

const TABS = [
    ["overview", "Overview", Overview], ["targets", "Targets", Targets], ["units", "Units", Units],
    ["discovery", "Discovery", Discovery], ["events", "Events", Events], ["settings", "Settings", Settings],
];

const WHY_NOT = "You may look, and not change";

function Views({ world, path, go, ...more }) {
    const at = TABS.some(([id]) => id === path[0]) ? path[0] : "overview";
    // Where nothing can be asked, the overview says so.
    const shown = world.problem ? "overview" : at;
    const [, name, View] = TABS.find(([id]) => id === shown);
    // On a phone not all tabs are seen at once.
    useEffect(() => document.getElementById(`tab-${shown}`)?.scrollIntoView({ block: "nearest", inline: "nearest" }), [shown]);
    return (
        <>
            <Tabs activeKey={shown} onSelect={(_e, id) => go([id])} aria-label="Parts of the page" role="region" usePageInsets>
                {TABS.map(([id, title]) => <Tab key={id} eventKey={id} id={`tab-${id}`} title={<TabTitleText>{title}</TabTitleText>} tabContentId={`view-${id}`} isDisabled={!!world.problem && id !== "overview"} />)}
            </Tabs>
            <TabContent id={`view-${shown}`} eventKey={shown} aria-label={name} data-view={shown} className="openisw-view">
                <TabContentBody><View world={world} go={(id) => go([id])} {...more} /></TabContentBody>
            </TabContent>
        </>
    );
}

export function App() {
    const { world, refresh } = useWorld();
    const may = useMay();
    const [form, setForm] = useState(null);
    const opener = useRef(null);
    const [path, go] = usePath();
    const { scan, isScanning, view } = useScan(refresh, path[0]);

    const open = useCallback((next) => {
        opener.current = document.activeElement;
        setForm(next);
    }, []);
    // The focus goes back to where it was, or, where that is gone, to the page's own heading.
    const close = useCallback(() => {
        setForm(null);
        setTimeout(() => (opener.current?.isConnected ? opener.current : document.getElementById("title")).focus(), 0);
    }, []);

    return (
        <May.Provider value={may}>
            <Page className="openisw-page" isContentFilled mainAriaLabel="iSCSI initiator">
                <PageSection className="openisw-head">
                    <Title headingLevel="h1" size="xl" id="title" tabIndex={-1}>iSCSI initiator</Title>
                    {may === false && <Alert isInline isPlain variant="info" title={WHY_NOT} id="why-not">This needs administrative access. Turn it on at the top of Cockpit, or ask an administrator.</Alert>}
                </PageSection>
                <PageSection isFilled data-ready={world.isReady ? "yes" : undefined} data-may={may === null ? undefined : String(may)}>
                    {view}
                    {world.isReady
                        ? <Views world={world} path={path} go={go} open={open} scan={scan} isScanning={isScanning} />
                        : <EmptyState titleText="Asking the initiator" headingLevel="h2" icon={Spinner}><EmptyStateBody>iscsiutil -o</EmptyStateBody></EmptyState>}
                </PageSection>
            </Page>
            {form && <Dialog {...form} refresh={refresh} close={close} />}
        </May.Provider>
    );
}
