// A scan, or the login of one target, while it runs and after it: how far it is, and what failed with its next step.
import React, { useCallback, useEffect, useState } from "react";
import { Alert, AlertActionCloseButton, List, ListItem, Progress } from "./pf.js";
import { call } from "./call.js";
import { Foreign, Problem } from "./parts.jsx";
import { count } from "./words.js";

const STAGES = [["discovery", "Discovery"], ["session", "Sessions"], ["luns", "Disks"]];

// { scan(verb, args), isScanning, view }.  What a scan without a failure found goes when another part of the page is looked at.
export function useScan(refresh, place) {
    const [state, setState] = useState(null);

    useEffect(() => setState((old) => (old?.result?.ok && !old.result.answer?.scan?.empty.length ? null : old)), [place]);

    const scan = useCallback(async (verb, args = {}) => {
        setState({ isRunning: true, stages: {}, what: args.target || "" });
        const result = await call(verb, args, (p) => setState((old) => ({
            ...old, stages: { ...old.stages, [p.stage]: { done: p.done, total: p.total, what: p.ok === null ? p.what : "" } },
        })));
        await refresh();
        setState((old) => ({ ...old, isRunning: false, result }));
    }, [refresh]);
    return { scan, isScanning: !!state?.isRunning, view: state && <Scan state={state} close={() => setState(null)} /> };
}

function Bars({ stages }) {
    return STAGES.filter(([id]) => stages[id]?.total > 0).map(([id, name]) => (
        <Progress key={id} id={`scan-${id}`} title={name} value={stages[id].done} max={stages[id].total} size="sm"
            label={`${stages[id].done} of ${stages[id].total}`} valueText={`${stages[id].done} of ${stages[id].total}`}
            helperText={stages[id].what ? <span>waits for <Foreign>{stages[id].what}</Foreign></span> : undefined} />
    ));
}

function Scan({ state, close }) {
    if (state.isRunning)
        return <Alert isInline variant="info" title="Looking for targets and disks" component="h2" className="openisw-told" data-scan="runs"><div aria-live="polite"><Bars stages={state.stages} /></div></Alert>;
    const found = state.result.answer?.scan;
    const button = <AlertActionCloseButton title="Close" aria-label="Close what the scan found" onClose={close} />;
    if (!found)
        return <div data-scan="failed">{state.result.problems.map((p, i) => <Problem key={i} problem={p} />)}</div>;
    const failures = found.failures.length;
    return (
        <Alert isInline variant={failures || found.empty.length ? "warning" : "success"} component="h2" className="openisw-told" data-scan="done" actionClose={button}
            title={`The scan ${failures ? `met ${count(failures, "failure")}` : "is done"}: ${count(found.sessions.online, "session")} online, ${count(found.luns.claimed, "unit")}`}>
            <div role="status">
                {failures > 0 && (
                    <List>
                        {found.failures.map((f, i) => <ListItem key={i} data-failure=""><Foreign>{f.what}: {f.error}</Foreign>{f.next && <div>Next: {f.next}</div>}</ListItem>)}
                    </List>
                )}
                {found.empty.map((e, i) => <p key={i} data-empty=""><Foreign>{e.what}: {e.why}</Foreign> Next: {e.next}</p>)}
                {found.left_out.map((l, i) => <p key={i}>LUN {l.lun} of <Foreign>{l.what}</Foreign> is left out: <Foreign>{l.why}</Foreign></p>)}
            </div>
        </Alert>
    );
}
