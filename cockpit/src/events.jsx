// The event log: what happened, with its explanation and the next step.
import React, { useState } from "react";
import { ExpandableSection, Flex, Form, FormGroup, FormSelect, FormSelectOption, TextInput } from "./pf.js";
import { Foreign, Problem, State } from "./parts.jsx";
import { LEVELS, when, count } from "./words.js";

const SHOWN_MAX = 100;
const kindOf = (level) => (level <= 3 ? "danger" : level === 4 ? "warning" : "info");

function Event({ event, explanation }) {
    const about = [event.target, event.address, event.unit, event.session === null ? null : `session ${event.session}`].filter(Boolean);
    return (
        <li className="openisw-event" data-event={event.id}>
            <div className="openisw-event-head"><State word={LEVELS[event.level] || event.level} kind={kindOf(event.level)} /> <time dateTime={event.time}>{when(event.time)}</time></div>
            <p><Foreign>{event.text}</Foreign></p>
            {about.length > 0 && <p className="openisw-quiet">{about.map((a, i) => <React.Fragment key={i}>{i > 0 && ", "}<Foreign>{a}</Foreign></React.Fragment>)}</p>}
            {event.held_back > 0 && <p className="openisw-quiet">and {count(event.held_back, "more message")} like it</p>}
            {explanation && (
                <ExpandableSection toggleText="What it means, and what to do" isIndented>
                    <p>{explanation.cause}</p>
                    <p><strong>Next:</strong> {explanation.action}</p>
                    <p className="openisw-quiet">{event.id} ({explanation.appendix}{explanation.number})</p>
                </ExpandableSection>
            )}
        </li>
    );
}

export function Events({ world }) {
    const [level, setLevel] = useState("7"), [words, setWords] = useState("");
    const wanted = words.toLowerCase();
    const found = world.events.filter((e) => e.level <= Number(level) && (!wanted
        || [e.text, e.target, e.address, e.unit, e.id].some((s) => s && s.toLowerCase().includes(wanted)))).reverse();
    if (world.eventsProblem && !world.events.length)
        return <Problem problem={world.eventsProblem} />;
    return (
        <>
            <Form isHorizontal className="openisw-filter" onSubmit={(e) => e.preventDefault()}>
                <FormGroup label="Level" fieldId="event-level">
                    <FormSelect id="event-level" value={level} onChange={(_e, v) => setLevel(v)}>
                        {[["7", "all"], ["5", "notices and worse"], ["4", "warnings and worse"], ["3", "errors and worse"]].map(([v, t]) => <FormSelectOption key={v} value={v} label={t} />)}
                    </FormSelect>
                </FormGroup>
                <FormGroup label="With the words" fieldId="event-words">
                    <TextInput id="event-words" type="search" value={words} onChange={(_e, v) => setWords(v)} />
                </FormGroup>
            </Form>
            <Flex><p role="status" className="openisw-quiet">{found.length > SHOWN_MAX ? `the newest ${SHOWN_MAX} of ` : ""}{count(found.length, "event")} of the last 7 days</p></Flex>
            <ol className="openisw-events" aria-label="Events, the newest first">
                {found.slice(0, SHOWN_MAX).map((e, i) => <Event key={`${e.time} ${e.id} ${found.length - i}`} event={e} explanation={world.explanations.get(e.id)} />)}
            </ol>
        </>
    );
}
