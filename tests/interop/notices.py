"""What happened in the night is told in the morning: by the event log, by displays, with the next step."""
import os
import subprocess

import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import BUSY, INQUIRY, READS, WRITES, Unit, check, sense


def outage(t):
    for what, end in {"breaks": "hang", "is reset": "reset", "goes silent": "freeze"}.items():
        with t.case("a connection %s and is back: both are events" % what, 60):
            with FieldTarget() as target, field.world(t, target, NOPInterval=1, NOPTimeout=1) as made:
                before, logins = field.events(made), target.logins
                if end == "freeze":
                    target.freeze()
                    proc.wait_for("the loss", lambda: field.state(made) != "online", limit=15)
                    target.thaw()
                else:
                    target.stop()
                    if end == "reset":
                        target.hang_up(is_reset=True)
                    proc.wait_for("the loss", lambda: field.state(made) != "online", limit=15)
                    target.again()
                proc.wait_for("a login", lambda: target.logins > logins, limit=30)
                field.wait_online(made)
                told = proc.wait_for("two events", lambda: field.events(made)[len(before):].count(target.name) >= 2 and
                                     field.events(made), limit=5)
                assert "lost" in told.lower() or "ended" in told.lower() or "closed" in told.lower(), told


def quiet(t):
    with t.case("sixty short outages do not fill the event log"):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            for k in range(60):
                field.read(path, k * field.BLOCK).good(10)
                target.hang_up()
            field.read(path).good(10)
            assert len(field.events(made).splitlines()) < 400


def gave_up(t):
    with t.case("I/O that failed since the target stayed away is an event, once"):
        with FieldTarget() as target, field.world(t, target, ReplacementTimeout=2) as made:
            path = field.path(made)
            target.stop()
            ios = [field.write(path, k * field.BLOCK, field.block("x")) for k in range(30)]
            for io in ios:
                io.bad(15)
            told = [line for line in field.events(made).splitlines() if "fail" in line.lower()]
            assert told, field.events(made)
            assert len(told) < 10, told
            target.again()


def wait_told(made, words):
    """The log is written by a thread of its own, a moment later."""
    proc.wait_for("the log to say: %s" % words, lambda: any(words in line for line in made.tail()), limit=5)


def other_unit(t):
    with t.case("another unit in the place of one is told with both names and what to do"):
        with FieldTarget([Unit(0, "one")]) as target, field.world(t, target, ReplacementTimeout=2) as made:
            path = field.path(made)
            target.targets[target.name] = [Unit(0, "two")]
            target.hang_up()
            field.write(path, 0, field.block("x")).bad(15)
            wait_told(made, "is not the unit that it was")


def data_lost(t):
    with t.case("a deferred error: the command is sent again, and the next flush tells that data was lost"):
        with FieldTarget() as target, field.world(t, target) as made:
            path, left = field.path(made), [check(3, 0x0c, 0, deferred=True)]
            target.on_command = lambda c: left.pop() if c.opcode in WRITES and left else None
            field.write(path, 0, field.block("d")).good(10)
            assert target.unit(0).disk.read(0, 1) == b"d"
            field.Io(path, "flush").bad(10, "EIO")
            field.Io(path, "flush").good(10)
    for choice, told in (("fail", "the next flush fails"), ("warn", "may be lost")):
        with t.case("a unit that lost its power while a write was not flushed, VolatileLoss %s" % choice):
            unit = Unit(0, "cached")
            unit.has_write_cache = True
            with FieldTarget([unit]) as target, field.world(t, target, VolatileLoss=choice) as made:
                path, left = field.path(made), [check(6, 0x29, 1)]
                field.write(path, 0, field.block("d")).good(10)
                target.on_command = lambda c: left.pop() if left else None
                field.write(path, 8192, field.block("e")).good(10)
                flush = field.Io(path, "flush")
                flush.bad(10, "EIO") if choice == "fail" else flush.good(10)
                field.Io(path, "flush").good(10)
                wait_told(made, told)
    def by_a_scan(made, target):
        left = [check(6, 0x29, 1)]
        target.on_command = lambda c: left.pop() if left and c.opcode == INQUIRY else None
        made.request("scan", 60)

    ways = {
        "a scan": by_a_scan,
        "an asynchronous event": lambda made, target: target.online()[0].event(0, sense(6, 0x29, 1)),
    }
    for who, tell in ways.items():
        with t.case("a unit that lost its power says so to %s: the next flush tells it" % who):
            unit = Unit(0, "cached")
            unit.has_write_cache = True
            with FieldTarget([unit]) as target, field.world(t, target) as made:
                path = field.path(made)
                field.write(path, 0, field.block("d")).good(10)
                tell(made, target)
                wait_told(made, "the next flush fails")
                field.Io(path, "flush").bad(10, "EIO")
                field.Io(path, "flush").good(10)


def unmounted(t):
    with t.case("a mount that was taken away is noticed, told and mended"):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            subprocess.run(["umount", "-l", os.path.dirname(path)], check=True)
            proc.wait_for("the file to be back, by itself or by a scan",
                          lambda: made.request("scan", 60) and os.path.exists(made.disk("field", 0).get("file") or "/nowhere"),
                          limit=20, every=1)
            field.write(field.path(made), 0, field.block("x")).good(5)


def limits_shown(t):
    with t.case("time limits that were set are shown in text and in JSON"):
        with FieldTarget() as target, field.world(t, target) as made:
            made.command("iscsiutil", "-t", "CommandTimeout", "90", "-T", target.name)
            made.command("iscsiutil", "-t", "NOPTimeout", "7")
            displays = (("-p", "-T", target.name), ("-l", "-V"), ("-pVS",))
            shown = "".join(made.command("iscsiutil", *words).out for words in displays)
            warned = made.command("iscsiutil", "-t", "ReplacementTimeout", "10", "-T", target.name, ok=None)
            assert warned.code == 0 and "which is shorter than LoginTimeout" in warned.out + warned.err, warned
            assert "CommandTimeout" in shown and "90" in shown and "NOPTimeout" in shown, shown


def what_waits(t):
    with t.case("a disk whose I/O waits since its unit is busy says so"):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            target.on_command = lambda c: BUSY if c.opcode in READS + WRITES else None
            io = field.write(path, 0, field.block("x"))
            field.pause(3)
            target.on_command = lambda _: None
            io.good(10)


def main():
    with tap.script() as t:
        for part in (outage, quiet, gave_up, other_unit, data_lost, unmounted, limits_shown, what_waits):
            part(t)


main()
