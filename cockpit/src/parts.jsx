// What all views are made of: controls that know who may change something, problems as the programs tell them, tables.
import React, { createContext, useContext } from "react";
import { Alert, Button, Label, List, ListItem, Tooltip } from "./pf.js";

export const May = createContext(null);

// Why who looks may not change anything; null where he may.
export function useWhyNot() {
    const may = useContext(May);
    if (may === true)
        return null;
    return may === null ? "It is not known yet whether you may change this."
        : "You may look, and not change: this needs administrative access. Turn it on at the top of Cockpit, or ask an administrator.";
}

// A button that changes something.  It can be reached and says why where it may not be used.
export function Change({ children, onClick, isDisabled = false, ...more }) {
    const whyNot = useWhyNot();
    const button = (
        <Button {...more} data-change="" isAriaDisabled={!!whyNot} isDisabled={!whyNot && isDisabled} onClick={whyNot ? undefined : onClick}
            aria-describedby={whyNot ? "why-not" : undefined}>{children}</Button>
    );
    return whyNot ? <Tooltip content={whyNot}>{button}</Tooltip> : button;
}

// A problem as the program told it: what happened, what to do, and who is in the way.
export function Problem({ problem, title }) {
    const users = Object.entries(problem.used_by || {}).flatMap(([disk, names]) => names.map((n) => `${disk}: ${n}`));
    const inUse = users.length ? users : problem.in_use || [];
    return (
        <Alert isInline variant="danger" title={title ? `${title}: ${problem.message}` : problem.message} role="alert" className="openisw-told" data-problem={problem.code}>
            {inUse.length > 0 && <List aria-label="In use by">{inUse.map((u) => <ListItem key={u}>{u}</ListItem>)}</List>}
            {problem.next && <p>Next: {problem.next}</p>}
        </Alert>
    );
}

export function Problems({ result }) {
    if (!result)
        return null;
    return (
        <>
            {result.problems.map((p, i) => <Problem key={i} problem={p} />)}
            {result.notes.map((n, i) => <Alert key={"n" + i} isInline variant="info" title={n} className="openisw-told" />)}
        </>
    );
}

const STATUS = { success: "success", warning: "warning", danger: "danger", info: "info" };

// A state: its word and an icon beside the colour.
export function State({ word, kind }) {
    return <Label status={STATUS[kind]} variant="outline">{word}</Label>;
}

// What somebody else wrote: shown as text, as it is, in its own direction, and broken where it is long.
export function Foreign({ children }) {
    return <bdi className="openisw-foreign">{children}</bdi>;
}

// columns: [{ name, of(row), isHeader, actions }]; a row that is narrow becomes a list of its cells, with their names.
export function Table({ label, columns, rows, keyOf, empty }) {
    if (!rows.length)
        return <p className="openisw-empty">{empty}</p>;
    return (
        <table className="pf-v6-c-table pf-m-grid-lg pf-m-compact" role="grid" aria-label={label}>
            <thead className="pf-v6-c-table__thead">
                <tr className="pf-v6-c-table__tr" role="row">
                    {columns.map((c) => <th key={c.name} className="pf-v6-c-table__th pf-m-wrap" role="columnheader" scope="col">{c.isSilent ? <span className="pf-v6-screen-reader">{c.name}</span> : c.name}</th>)}
                </tr>
            </thead>
            <tbody className="pf-v6-c-table__tbody" role="rowgroup">
                {rows.map((row) => (
                    <tr key={keyOf(row)} className="pf-v6-c-table__tr" role="row">
                        {columns.map((c) => c.isHeader
                            ? <th key={c.name} className="pf-v6-c-table__th" role="rowheader" scope="row" data-label={c.name}>{c.of(row)}</th>
                            : <td key={c.name} className={"pf-v6-c-table__td" + (c.isSilent ? " openisw-row-actions" : "")} role="gridcell" data-label={c.isSilent ? undefined : c.name}>{c.of(row)}</td>)}
                    </tr>
                ))}
            </tbody>
        </table>
    );
}
