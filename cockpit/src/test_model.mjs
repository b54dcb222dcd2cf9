// What the page makes of the answers, as properties over many worlds from numbers: node --test.
import assert from "node:assert/strict";
import test from "node:test";
import { healthOf, named, remember, sentence, stateOf, troubles, units } from "./model.js";
import { ago, micros, portal, size } from "./words.js";

const WORLDS = 300;

function numbers(seed) {
    let x = seed + 1;
    return (n) => { x = (x * 48271) % 2147483647; return x % n; };
}

// A world with some targets, some addresses, and units that several of them may lead to.
function world(seed) {
    const pick = numbers(seed), of = (...list) => list[pick(list.length)];
    let session = 0;
    const targets = Array.from({ length: pick(4) }, (_, t) => ({
        name: `iqn.t${t}`, alias: "", addresses: Array.from({ length: 1 + pick(3) }, (_a, a) => {
            const state = of("online", "online", "transient", "offline", null);
            return { address: of("192.0.2.1", "2001:db8::1"), port: 3260 + a, tpgt: 1, state, session_instance: state ? session++ : null,
                last_error: state === "online" ? null : of(null, "it broke"), last_error_next: of(null, "mend it") };
        }),
    }));
    const nodes = targets.flatMap((t) => t.addresses).filter((a) => a.session_instance !== null).flatMap((a) => Array.from({ length: pick(3) }, (_, lun) => ({
        class: of("disk", "ctl"), hw_path: `255/0/${a.session_instance}.0.0.${lun}`, lun, session_instance: a.session_instance, designator: of(undefined, `naa.${pick(3)}`),
        sw_state: of("CLAIMED", "UNCLAIMED", "NO_HW"), dsk: of(undefined, `/dev/dsk/c${a.session_instance}t0d${lun}`),
    })));
    return { overview: { targets, nodes: [{ class: "iscsi", hw_path: "255/0" }, ...nodes], units: [] }, events: [], explanations: new Map(), discovery: null, status: null };
}

const every = (name, rule) => test(name, () => {
    for (let seed = 0; seed < WORLDS; seed++)
        rule(world(seed), seed);
});

every("each node of a LUN is a path of exactly one unit, and a unit's paths are of one designator", ({ overview }) => {
    const all = units(overview), paths = all.flatMap((u) => u.paths.map((p) => p.hw_path));
    assert.deepEqual([...paths].sort(), overview.nodes.filter((n) => n.lun !== undefined).map((n) => n.hw_path).sort());
    for (const unit of all)
        assert.equal(new Set(unit.paths.map((p) => p.designator)).size, 1);
    const order = all.map((u) => u.class === "disk");
    assert.deepEqual(order, [...order].sort((a, b) => b - a));
});

every("all is well only where nothing is wrong, and each session that is not online is told with a next step", (w) => {
    const wrong = troubles(w), away = w.overview.targets.flatMap((t) => t.addresses).filter((a) => a.state === "transient" || a.state === "offline" || (!a.state && a.last_error));
    assert.ok(away.every((a) => wrong.some((t) => t.address === a && t.next)));
    assert.equal(sentence(w).startsWith("All is well"), !wrong.length && w.overview.targets.length > 0);
    const worst = wrong.map((t) => t.kind === "danger");
    assert.deepEqual(worst, [...worst].sort((a, b) => b - a));
    assert.ok(wrong.every((t) => t.next && t.what));
});

every("a unit is good only where its node is claimed and its session online", ({ overview }) => {
    for (const unit of units(overview))
        if (healthOf(unit).kind === "success")
            assert.ok(unit.sw_state === "CLAIMED" && stateOf(unit.address).kind === "success");
});

test("the history of a unit has at most sixty points, none of a counter that was cleared, and the mean of what was counted between", () => {
    const pick = numbers(7), at = (n, us) => ({ units: [{ hw_path: "p", io: { reads: { count: n, sum_us: us }, writes: { count: 0, sum_us: 0 } } }] });
    let history = {}, before = null, count = 0, sum = 0;
    for (let i = 1; i < 500; i++) {
        const isCleared = pick(20) === 0, reads = pick(5), each = 10 + pick(90);
        [count, sum] = isCleared ? [0, 0] : [count + reads, sum + reads * each];
        const overview = at(count, sum), was = before?.overview.units[0].io.reads.count;
        history = remember(history, before, overview, i * 1000);
        const last = history.p.at(-1);
        if (before && count >= was && !isCleared)
            assert.equal(last.read, reads ? each : null);
        assert.ok(history.p.length <= 60 && history.p.every((p) => p.reads >= 0 && (p.read === null || p.read > 0)));
        before = { overview, at: i * 1000 };
    }
    assert.equal(history.p.length, 60);
});

test("an alias that a login gave stands where discovery had none", () => {
    const { targets } = named({ targets: [{ name: "a", alias: "" }, { name: "b", alias: "kept" }] }, { sessions: [{ target_name: "a", target_alias: "x" }, { target_name: "b", target_alias: "y" }] });
    assert.deepEqual(targets.map((t) => t.alias), ["x", "kept"]);
});

test("facts are written as people read them", () => {
    assert.deepEqual([0, 1023, 1024, 33554432, 3 * 2 ** 40 / 2].map(size), ["0 B", "1023 B", "1 KiB", "32 MiB", "1.5 TiB"]);
    assert.deepEqual([null, 12, 1500, 2.5e6].map(micros), ["–", "12 µs", "1.5 ms", "2.5 s"]);
    assert.equal(portal({ address: "::1", port: 3260, tpgt: 2 }), "[::1]:3260,2");
    assert.match(ago(Date.now() - 3600e3 * 3), /3 hours ago/);
});
