"""What is only late, busy or away for a while is waited for, as long as the administrator said; what is wrong fails at once."""
import threading

import field
import proc
import tap
from fieldtgt import DROP, SILENT, FieldTarget, Later
from fieldunit import (BUSY, FLUSHES, READS, RESERVATION_CONFLICT, TASK_SET_FULL, WRITES, Answer, Unit, check)

PREFIX = "iqn.2026-11.org.example:"
IO = READS + WRITES
PASSING = {
    "BUSY": BUSY,
    "TASK SET FULL": TASK_SET_FULL,
    "becoming ready": check(2, 0x04, 0x01),
    "not ready, cause not reportable": check(2, 0x04, 0x00),
    "asymmetric access transition": check(2, 0x04, 0x0a),
    "standby": check(2, 0x04, 0x0b),
    "unavailable": check(2, 0x04, 0x0c),
    "aborted command": check(0xb, 0x47, 0x00),
    "aborted command, no code": check(0xb, 0x00, 0x00),
    "power on, reset": check(6, 0x29, 0x00),
    "no answer": SILENT,
}
# Ends at once, with one of these.
PERMANENT = {
    "unrecovered read error": (check(3, 0x11), ("EIO", "ENODATA")),
    "internal target failure": (check(4, 0x44), ("EIO",)),
    "LBA out of range": (check(5, 0x21), ("EIO",)),
    "reservation conflict": (RESERVATION_CONFLICT, ("EIO", "EBADE")),
    "write protected": (check(7, 0x27), ("EROFS",)),
    "no space": (check(7, 0x27, 0x07), ("ENOSPC",)),
}


def named(rows, order_of):
    """A target with one name a row; orders[name] is what its I/O is answered with."""
    target, orders = FieldTarget(), {}
    names = {row: PREFIX + "w%d" % i for i, row in enumerate(rows)}
    target.targets = {name: [Unit(0, name)] for name in names.values()}
    target.on_command = lambda c: orders.get(c.connection.name) if c.opcode in IO else None
    for row, name in names.items():
        orders[name] = order_of(row)
    return target, names, orders


def passing(t):
    target, names, orders = named(PASSING, lambda _: None)
    with target, field.world(t, target, ReplacementTimeout=40, CommandTimeout=2) as made:
        paths = {row: field.path(made, 0, name[len(PREFIX):]) for row, name in names.items()}
        orders.update((name, PASSING[row]) for row, name in names.items())
        ios = {row: (field.write(p, 0, field.block("late")), field.read(p, 65536)) for row, p in paths.items()}
        field.pause(7)
        early = [row for row, pair in ios.items() if any(io.ended for io in pair)]
        orders.clear()
        for row in PASSING:
            with t.case("%s for 7 seconds: a write and a read wait, and come through" % row):
                for io in ios[row]:
                    io.good(20)
                assert row not in early, "it ended while the target answered so"
                assert target.targets[names[row]][0].disk.read(0, 4) == b"late"
    with t.case("the time is over while a unit is busy: I/O fails, and works as soon as the unit does"):
        with FieldTarget() as busy, field.world(t, busy, ReplacementTimeout=3) as made:
            path = field.path(made)
            busy.on_command = lambda c: BUSY if c.opcode in IO else None
            io = field.write(path, 0, field.block("x")).bad(12)
            assert 2 < io.took < 10, io.took
            busy.on_command = lambda _: None
            field.write(path, 0, field.block("y")).good(5)


def permanent(t):
    target, names, orders = named(PERMANENT, lambda _: None)
    with target, field.world(t, target) as made:
        paths = {row: field.path(made, 0, name[len(PREFIX):]) for row, name in names.items()}
        orders.update((name, PERMANENT[row][0]) for row, name in names.items())
        for row, (_, errors) in PERMANENT.items():
            with t.case("%s: a write fails at once with %s" % (row, errors[0])):
                field.write(paths[row], 0, field.block("x")).bad(2, *errors)


def unanswered(t):
    """A command is not answered; the abort is answered in every way."""
    for what, response in {"complete": 0, "no such task": 1, "not supported": 5, "rejected": 255, "silence": SILENT}.items():
        with t.case("a command is late, ABORT TASK is answered with %s: it is sent again" % what), FieldTarget() as target:
            quiet = threading.Event()
            with field.world(t, target, ReplacementTimeout=60, CommandTimeout=1, AbortTimeout=1,
                             ResetTimeout=1) as made:
                path = field.path(made)
                target.on_command = lambda c, quiet=quiet: SILENT if c.opcode in IO and not quiet.is_set() else None
                target.on_task = lambda _c, _f, response=response: response
                io = field.write(path, 0, field.block("again"))
                proc.wait_for("a task management request", lambda: target.count("task management"))
                quiet.set()
                io.good(30)
                assert target.unit(0).disk.read(0, 5) == b"again"


def slow_flush(t):
    with t.case("a flush that takes long is not aborted"), FieldTarget() as target:
        with field.world(t, target, ReplacementTimeout=120, CommandTimeout=1) as made:
            go_on = threading.Event()
            path = field.path(made)
            target.on_command = lambda c: Later(go_on) if c.opcode in FLUSHES else None
            field.write(path, 0, field.block("x")).good(5)
            io = field.Io(path, "flush")
            field.pause(5)
            go_on.set()
            io.good(5)
            assert not target.count("task management"), "it was aborted"


def neighbours(t):
    with t.case("a unit that does not answer costs its neighbours nothing"), FieldTarget([Unit(0, "A"), Unit(1, "B")]) as target:
        with field.world(t, target, ReplacementTimeout=60) as made:
            paths = [field.path(made, lun) for lun in (0, 1)]
            go_on = threading.Event()
            target.on_command = lambda c: Later(go_on) if c.lun == bytes(8) and c.opcode in IO else None
            stalled = [field.write(paths[0], k * field.BLOCK, field.block("s")) for k in range(200)]
            proc.wait_for("the first of them", lambda: len(target.commands(WRITES)) >= 16)
            for k in range(20):
                field.write(paths[1], k * field.BLOCK, field.block("n")).good(2)
                field.read(paths[1], k * field.BLOCK).good(2)
            go_on.set()
            for io in stalled:
                io.good(20)


def frozen(t):
    with t.case("a target that says nothing for a while, under load: no I/O fails", 90), FieldTarget() as target:
        with field.world(t, target, ReplacementTimeout=60, NOPInterval=1, NOPTimeout=2) as made:
            path = field.path(made)
            for _ in range(2):
                target.freeze()
                ios = [field.write(path, k * field.BLOCK, field.block("f%d" % k)) for k in range(16)]
                field.pause(8)
                target.thaw()
                for io in ios:
                    io.good(30)
                for k in range(16):
                    assert field.read(path, k * field.BLOCK).good(5).got == field.block("f%d" % k)


def no_work_no_success(t):
    with t.case("logins that do no work do not make the promise longer", 60), FieldTarget() as target:
        with field.world(t, target, ReplacementTimeout=5) as made:
            path = field.path(made)
            target.on_command = lambda _: DROP
            target.hang_up()
            io = field.write(path, 0, field.block("x")).bad(25)
            assert 4 < io.took < 20, io.took
            target.on_command = lambda _: None
            proc.wait_for("the disk to be back", lambda: field.write(path, 0, field.block("y")).wait(20).error is None, limit=40)


def main():
    with tap.script() as t:
        for part in (passing, permanent, unanswered, slow_flush, neighbours, frozen, no_work_no_success):
            part(t)


main()
