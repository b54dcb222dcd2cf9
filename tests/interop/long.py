"""The promises with the time limits that nobody changed: what a user who configured nothing sees.  ./check --long."""
import threading

import field
import tap
from fieldtgt import SILENT, FieldTarget, Later
from fieldunit import BUSY, FLUSHES, READS, WRITES

IO = READS + WRITES


def frozen(t):
    with t.case("a target says nothing for 45 seconds under load: no I/O fails", 200), FieldTarget() as target:
        with field.world(t, target) as made:
            path = field.path(made)
            target.freeze()
            ios = [field.write(path, k * field.BLOCK, field.block("w")) for k in range(8)]
            ios += [field.read(path, k * field.BLOCK) for k in range(8, 16)]
            field.pause(45)
            target.thaw()
            for io in ios:
                io.good(60)


def late(t):
    with t.case("commands are not answered for 45 seconds, pings are: no I/O fails", 200), FieldTarget() as target:
        with field.world(t, target) as made:
            path, over = field.path(made), threading.Event()
            target.on_command = lambda c: SILENT if c.opcode in IO and not over.is_set() else None
            ios = [field.write(path, 0, field.block("w")), field.read(path, 65536)]
            field.pause(45)
            over.set()
            for io in ios:
                io.good(60)


def busy(t):
    with t.case("every command is answered BUSY for 40 seconds: no I/O fails", 200), FieldTarget() as target:
        with field.world(t, target) as made:
            path = field.path(made)
            target.on_command = lambda c: BUSY if c.opcode in IO else None
            ios = [field.write(path, 0, field.block("w")), field.read(path, 65536)]
            field.pause(40)
            target.on_command = lambda _: None
            for io in ios:
                io.good(10)


def flush(t):
    with t.case("a flush of 40 seconds is not aborted", 200), FieldTarget() as target:
        with field.world(t, target) as made:
            path, go_on = field.path(made), threading.Event()
            target.on_command = lambda c: Later(go_on) if c.opcode in FLUSHES else None
            field.write(path, 0, field.block("w")).good(5)
            io = field.Io(path, "flush")
            field.pause(40)
            go_on.set()
            io.good(5)
            assert not target.count("task management")


def idle(t):
    with t.case("a target closes each session 5 seconds after its last command: reads are answered in a second", 200):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            for k in range(6):
                field.pause(5)
                target.hang_up()
                field.pause(3)
                assert field.read(path, k * field.BLOCK).good(10).took < 1.5


def promise(t):
    with t.case("a target stays away: I/O fails after 120 seconds, not before", 300), FieldTarget() as target:
        with field.world(t, target) as made:
            path = field.path(made)
            target.stop()
            io = field.read(path).bad(150)
            assert 118 < io.took < 130, io.took
            target.again()
            field.wait_online(made, limit=60)
            field.read(path).good(10)


def main():
    with tap.script() as t:
        for part in (frozen, late, busy, flush, idle, promise):
            part(t)


main()
