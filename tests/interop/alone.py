"""Whoever is in trouble is in it alone: commands that end connections in many ways, slow ones on a link that flaps, units that are away."""
import struct
import threading
import time

import field
import tap
from fieldtgt import (ASYNC_MESSAGE, DATA_IN, DROP, R2T, RESET, SCSI_RESPONSE, SILENT, FieldTarget, Later, Rejected)
from fieldunit import FLUSHES, READS, REPORT_LUNS, WRITES, Unit, address, check, extent, nobody

POISONED = 2048  # the block
TRIES = 5


def response(command, flags=0x80, residual=0, itt=None):
    command.connection.send(SCSI_RESPONSE, flags, itt=itt or command.itt, at20=bytes(4),
                            at36=struct.pack(">III", 0, 0, residual))
    return SILENT


def stat_sn(command):
    command.connection.stat_sn += 5
    return response(command)


def r2t(command):
    command.connection.send(R2T, 0x80, at8=command.lun, itt=command.itt, at20=command.itt, counts=False,
                            at36=struct.pack(">III", 0, 1 << 20, 4096))
    return SILENT


def data_in(command):
    command.connection.send(DATA_IN, 0x81, itt=command.itt, data=bytes(512), at36=bytes(12))
    return SILENT


def half(command):
    command.connection.s.sendall(bytes([SCSI_RESPONSE, 0x80]) + bytes(20))
    return DROP


def announced(command):
    command.connection.send(ASYNC_MESSAGE, 0x80, at36=struct.pack(">BBHHH", 2, 0, 0, 0, 0) + bytes(4))
    return DROP


def slowly(_command):
    field.pause(0.3)
    return DROP


def later(command):
    timer = threading.Timer(2, command.connection.hang_up)
    timer.daemon = True
    timer.start()
    return SILENT


WAYS = {
    "an answer to nobody": lambda c: response(c, itt=b"\x12\x34\x56\x78"),
    "a jump of StatSN": stat_sn,
    "O and U": lambda c: response(c, 0x86, 4),
    "a residual count that cannot be": lambda c: response(c, 0x82, 9999999),
    "an R2T beyond its end": r2t,
    "data for a write": data_in,
    "a PDU of which half is missing": half,
    "an event and a hang-up": announced,
    "a hang-up after a while": slowly,
    "a hang-up two seconds later": later,
    "a reset": lambda _: RESET,
    "a Reject": lambda _: Rejected(9),
}


def poison(t):
    for what, way in WAYS.items():
        with t.case("a write that gets %s fails alone" % what, 90), FieldTarget([Unit(0, "A"), Unit(1, "B")]) as target:
            with field.world(t, target, ReplacementTimeout=60) as made:
                paths, sent = [field.path(made, k) for k in (0, 1)], []

                def answer(c, way=way, sent=sent):
                    if c.lun != address(0) or c.opcode not in WRITES or extent(c.cdb)[0] != POISONED:
                        return None
                    sent.append(c)
                    return way(c)
                target.on_command = answer
                bad, longest = field.write(paths[0], POISONED * 512, field.block("P")), 0
                while bad.ended is None:
                    ios = [field.write(paths[k % 2], (k + 1) << 21, field.block("i")) for k in range(4)]
                    longest = max([longest] + [io.good(20).took for io in ios])
                bad.bad(1, "EIO")
                assert len(sent) == TRIES, "it was sent %d times" % len(sent)
                assert longest < 5, "somebody else waited %.1f s" % longest


def flapping(t):
    with t.case("a link breaks three times while a flush takes its time: the neighbour goes on", 90):
        with FieldTarget([Unit(0, "A"), Unit(1, "B")]) as target, field.world(t, target, ReplacementTimeout=60) as made:
            paths, go_on = [field.path(made, k) for k in (0, 1)], threading.Event()
            field.write(paths[0], 0, field.block("x")).good(5)
            target.on_command = lambda c: Later(go_on) if c.opcode in FLUSHES else None
            flush = field.Io(paths[0], "flush")
            for k in range(3):
                field.pause(0.7)
                target.hang_up(is_reset=k % 2 == 0)
                field.write(paths[1], 0, field.block("x")).good(10)
            for k in range(20):
                assert field.write(paths[1], k * field.BLOCK, field.block("x")).good(10).took < 3
                field.pause(0.1)
            go_on.set()
            flush.good(20)


def stalled(t):
    for what, way in {"at once": lambda _: DROP, "two seconds later": later}.items():
        with t.case("a command that is poison %s while a neighbour's are stalled: a third unit goes on" % what, 120):
            with FieldTarget([Unit(k, "u%d" % k) for k in range(3)]) as target, field.world(t, target, ReplacementTimeout=60) as made:
                paths, go_on, sent = [field.path(made, k) for k in range(3)], threading.Event(), []

                def answer(c, way=way, go_on=go_on, sent=sent):
                    if c.lun == address(0) and c.opcode in WRITES and extent(c.cdb)[0] == POISONED:
                        sent.append(c)
                        return way(c)
                    return Later(go_on) if c.lun == address(1) and c.opcode in READS + WRITES and not go_on.is_set() else None
                target.on_command = answer
                waiting = [field.write(paths[1], k * field.BLOCK, field.block("s")) for k in range(4)]
                field.pause(0.3)
                bad, end = field.write(paths[0], POISONED * 512, field.block("P")), time.monotonic() + 15
                while time.monotonic() < end:
                    assert field.write(paths[2], 0, field.block("x")).good(10).took < 7
                    field.pause(0.1)
                bad.bad(60, "EIO")
                assert len(sent) == TRIES, "it was sent %d times" % len(sent)
                go_on.set()
                for io in waiting:
                    io.good(20)


def absent(t):
    ways = {"25/00": lambda c: check(5, 0x25) if c.opcode != REPORT_LUNS else None,
            "peripheral qualifier 3": lambda c: nobody(c.cdb) if c.opcode != REPORT_LUNS else None}
    for what, way in ways.items():
        with t.case("a takeover that answers %s for 16 of 20 seconds: I/O waits, and goes on soon" % what, 60):
            with FieldTarget() as target, field.world(t, target, ReplacementTimeout=20) as made:
                path = field.path(made)
                target.on_command = way
                target.hang_up()
                ios = [field.write(path, 0, field.block("w")), field.read(path, 65536)]
                field.pause(16)
                target.on_command = lambda _: None
                for io in ios:
                    assert io.good(10).took < 16 + 3, io.took


def wakes(t):
    with t.case("a login was refused while nothing waited; I/O that comes later is served in two seconds", 60):
        with FieldTarget() as target, field.world(t, target) as made:
            path, units = field.path(made), target.targets.pop(target.name)
            target.hang_up()
            field.pause(3)
            target.targets[target.name] = units
            assert field.read(path).good(10).took < 2.5


def main():
    with tap.script() as t:
        for part in (poison, flapping, stalled, absent, wakes):
            part(t)


main()
