"""A write goes to the unit it was meant for, whatever becomes of the questions who the unit is.

Each variant is a target of its own; all of them are disturbed at the same time.
"""
import sys
import threading

import field
import proc
import tap
from fieldtgt import DROP, SILENT, FieldTarget
from fieldunit import BUSY, DESIGNATORS, INQUIRY, PAGES, RESERVATION_CONFLICT, SERIAL, Answer, Unit, check, naa, t10

PREFIX = "iqn.2026-11.org.example:"
QUESTIONS = {"inquiry": None, "00h": PAGES, "80h": SERIAL, "83h": DESIGNATORS}
# How a question fails.  The last ones answer, but say nothing.
FAILURES = {
    "hardware error": check(4, 0x44),
    "invalid field": check(5, 0x24),
    "not ready": check(2, 0x04, 0x01),
    "aborted": check(0xb, 0x47),
    "attention": check(6, 0x29),
    "BUSY": BUSY,
    "reserved": RESERVATION_CONFLICT,
    "a drop": DROP,
    "no bytes": Answer(),
    "zeros": Answer(data=bytes(64)),
    "a short page": "short",
}
SLOW = {"silence": SILENT}
TIMES = 2  # a question fails so often


class Variant:
    """A target whose one question fails while .failing is above zero."""

    def __init__(self, question, failure, order):
        self.question, self.failure, self.order = question, failure, order
        self.name = ("%s-%s" % (question, failure)).replace(" ", "-").lower()
        self.unit, self.other = Unit(0, self.name), Unit(0, self.name + "-other")
        self.failing, self.lock = 0, threading.Lock()
        self.write = None

    def asks(self, command):
        page = QUESTIONS[self.question]
        if command.opcode != INQUIRY:
            return False
        return command.cdb[1] & 1 == 0 if page is None else command.cdb[1] & 1 and command.cdb[2] == page

    def answer(self, command):
        with self.lock:
            if not self.failing or not self.asks(command):
                return None
            self.failing -= 1
        if self.order == "short":
            return Answer(data=command.execute().data[:7])
        return self.order


def variants(failures):
    return [Variant(q, f, order) for q in QUESTIONS for f, order in failures.items()]


def make(rows):
    target = FieldTarget()
    target.targets = {PREFIX + v.name: [v.unit] for v in rows}
    by_name = {PREFIX + v.name: v for v in rows}
    target.on_command = lambda command: by_name[command.connection.name].answer(command)
    return target


def disturb(target, made, rows, data, swap, times=TIMES):
    """Connections break, questions fail, writes wait."""
    paths = {v.name: field.path(made, 0, v.name) for v in rows}
    for v in rows:
        v.failing = times
        target.targets[PREFIX + v.name] = [v.other if swap else v.unit]
    target.hang_up()
    for v in rows:
        v.write = field.write(paths[v.name], 0, data)


def same_unit(t, target, made, rows, limit):
    data = field.block("same")
    disturb(target, made, rows, data, False)
    for v in rows:
        with t.case("%s of the same unit fails with %s twice: the write waits, and arrives" % (v.question, v.failure)):
            v.write.good(limit)
            assert v.unit.disk.read(0, len(data)) == data
            assert v.failing < TIMES, "it was not asked"


def other_unit(t, target, made, rows, limit):
    data = field.block("other")
    disturb(target, made, rows, data, True)
    for v in rows:
        with t.case("%s of another unit fails with %s twice: nothing is written to it" % (v.question, v.failure)):
            v.write.wait(limit)
            assert not v.other.disk.chunks, "it holds %r" % v.other.disk.read(0, 16)
            v.write.bad(1)
    with t.case("the right units are back: so are their disks, by a scan at the latest"):
        for v in rows:
            target.targets[PREFIX + v.name] = [v.unit]
        made.request("scan", 60)
        back = [field.write(field.path(made, 0, v.name), 0, field.block("back")) for v in rows]
        for io in back:
            io.good(20)


def silent_for_good(t, target, made, rows, limit):
    data = field.block("never")
    disturb(target, made, rows, data, True, times=1 << 30)
    for v in rows:
        with t.case("%s fails with %s for good: the write fails when the time is over" % (v.question, v.failure)):
            v.write.bad(limit)
            assert not v.other.disk.chunks and v.unit.disk.read(0, len(data)) != data


def run(t, failures, limit, last):
    rows = variants(failures)
    with make(rows) as target, field.world(t, target, ReplacementTimeout=limit) as made:
        same_unit(t, target, made, rows, limit + 10)
        other_unit(t, target, made, rows, limit + 15)
        if last:
            silent_for_good(t, target, made, rows, limit + 15)


def named(letters, i):
    """Designators of row i, which no other row has: a and b are NAA, x is a T10 name."""
    return [t10(b"x%d" % i) if letter == "x" else naa(b"%c%d" % (ord(letter), i)) for letter in letters]


def designators(t):
    table = [("a better designator appears", "x", b"1", "ax", b"1", True),
             ("the best designator is gone", "ax", b"1", "x", b"1", True),
             ("the order changes", "ax", b"1", "xa", b"1", True),
             ("another NAA beside the same T10 name", "ax", b"1", "bx", b"1", False),
             ("the same T10 name, another serial number", "x", b"1", "x", b"2", False),
             ("no designators, another serial number", "", b"1", "", b"2", False)]
    rows = [(what, named(was, i), b"%d-" % i + old, named(now, i), b"%d-" % i + new, is_same)
            for i, (what, was, old, now, new, is_same) in enumerate(table)]
    target = FieldTarget()
    target.targets = {PREFIX + "d%d" % i: [Unit(0, "d%d" % i, designators=row[1], serial=row[2])]
                      for i, row in enumerate(rows)}
    with target, field.world(t, target, ReplacementTimeout=6) as made:
        paths = [field.path(made, 0, "d%d" % i) for i in range(len(rows))]
        units = [Unit(0, "new", designators=row[3], serial=row[4]) for row in rows]
        target.targets = {PREFIX + "d%d" % i: [unit] for i, unit in enumerate(units)}
        target.hang_up()
        ios = [field.write(p, 0, field.block("D")) for p in paths]
        for row, unit, io in zip(rows, units, ios):
            with t.case("%s: %s unit" % (row[0], "the same" if row[5] else "another")):
                io.wait(20)
                assert (io.error is None) == row[5] and bool(unit.disk.chunks) == row[5], (io.error, unit.disk.chunks.keys())


def main():
    with tap.script() as t:
        if sys.argv[1:] == ["slow"]:
            run(t, SLOW, 40, False)
            return
        run(t, FAILURES, 12, True)
        designators(t)


main()
