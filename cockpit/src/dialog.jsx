// One kind of dialog for everything that changes something: fields, the commands, and what they said.
import React, { useState } from "react";
import {
    Alert, Button, Checkbox, Form, FormGroup, FormHelperText, FormSelect, FormSelectOption, HelperText, HelperTextItem, Modal, ModalBody,
    ModalFooter, ModalHeader, TextInput,
} from "./pf.js";
import { call } from "./call.js";
import { Problems } from "./parts.jsx";

// One field of a dialog: { id, label, kind: "text" | "secret" | "number" | "choice" | "check", help, options, isRequired }.
function Field({ field, value, onChange }) {
    const id = `field-${field.id}`;
    if (field.kind === "check")
        return <Checkbox id={id} label={field.label} description={field.help} isChecked={!!value} onChange={(_e, v) => onChange(v)} />;
    const help = field.help ? { "aria-describedby": `${id}-help` } : {};
    return (
        <FormGroup label={field.label} fieldId={id} isRequired={field.isRequired}>
            {field.kind === "choice"
                ? (
                    <FormSelect id={id} value={value} onChange={(_e, v) => onChange(v)} {...help}>
                        {field.options.map(([v, text]) => <FormSelectOption key={v} value={v} label={text} />)}
                    </FormSelect>
                )
                : (
                    <TextInput id={id} value={value} onChange={(_e, v) => onChange(v)} {...help} isRequired={field.isRequired}
                        type={field.kind === "secret" ? "password" : "text"} inputMode={field.kind === "number" ? "numeric" : undefined}
                        autoComplete={field.kind === "secret" ? "new-password" : "off"} spellCheck={false} autoCapitalize="none" />
                )}
            {field.help && <FormHelperText><HelperText id={`${id}-help`}><HelperTextItem>{field.help}</HelperTextItem></HelperText></FormHelperText>}
        </FormGroup>
    );
}

const isBusy = (result) => result?.problems.some((p) => p.code === "BUSY");

// steps(values): [[verb, args], …], done in order until one fails; what the last one warns of is shown.  danger: what it does to somebody, and a red button.
// force: where a disk in use keeps it from being done, it can be asked for all the same.  after(): whatever follows a success.
export function Dialog({ title, text, danger, fields = [], steps, action, force, after, refresh, close }) {
    const [values, setValues] = useState(() => Object.fromEntries(fields.map((f) => [f.id, f.initial ?? (f.kind === "check" ? false : "")])));
    const [isForced, setForced] = useState(false);
    const [isRunning, setRunning] = useState(false);
    const [result, setResult] = useState(null);
    const shown = fields.filter((f) => !f.when || f.when(values));
    const missing = shown.filter((f) => f.isRequired && !values[f.id]);

    const run = async (event) => {
        event.preventDefault();
        if (isRunning || missing.length)
            return;
        setRunning(true);
        const told = { ok: true, problems: [], notes: [] };
        for (const [verb, args] of steps(values)) {
            const part = await call(verb, isForced ? { ...args, force: true } : args);
            told.problems.push(...part.problems);
            told.notes = [...part.notes, ...(part.answer?.warnings || [])];
            told.ok = part.ok;
            if (!part.ok)
                break;
        }
        await refresh();
        setRunning(false);
        if (told.ok)
            after?.(values);
        if (told.ok && !told.notes.length)
            close();
        else
            setResult(told);
    };

    const isDone = result?.ok;
    return (
        <Modal isOpen variant="small" elementToFocus={shown.length ? `#field-${shown[0].id}` : "#dialog-do"} onClose={close} aria-labelledby="dialog-title" aria-describedby={text ? "dialog-text" : undefined}>
            <ModalHeader title={title} labelId="dialog-title" titleIconVariant={danger ? "warning" : undefined} />
            <ModalBody>
                <Form id="dialog-form" onSubmit={run} noValidate>
                    {text && <p id="dialog-text">{text}</p>}
                    {danger && <Alert isInline isPlain variant="warning" title={danger} />}
                    {!isDone && shown.map((f) => <Field key={f.id} field={f} value={values[f.id]} onChange={(v) => setValues((old) => ({ ...old, [f.id]: v }))} />)}
                    <div aria-live="polite"><Problems result={result} /></div>
                    {force && isBusy(result) && <Checkbox id="field-force" label="Do it all the same" description="Programs that use these disks get input and output errors."
                        isChecked={isForced} onChange={(_e, v) => setForced(v)} />}
                </Form>
            </ModalBody>
            <ModalFooter>
                {isDone
                    ? <Button key="done" variant="primary" onClick={close}>Close</Button>
                    : (
                        <>
                            <Button key="do" id="dialog-do" type="submit" form="dialog-form" variant={danger ? "danger" : "primary"} isLoading={isRunning}
                                isDisabled={isRunning || missing.length > 0}>{action}</Button>
                            <Button key="cancel" variant="link" onClick={close}>Cancel</Button>
                        </>
                    )}
            </ModalFooter>
        </Modal>
    );
}
