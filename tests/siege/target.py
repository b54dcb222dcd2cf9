"""What a hostile target can make the driver hold, write and do: each kind of flood that the protocol allows, measured.

Each is sent at the speed of the loopback, over one session, while another client asks the driver for its version again and again.
"""
import struct
import threading
import time

import pattern
import proc
import tap
from cost import Cost
from fieldtgt import ASYNC_MESSAGE, DATA_IN, NO_TAG, NOP_IN, REJECT, SILENT, FieldTarget, Refused
from fieldunit import INQUIRY, TEST_UNIT_READY, Unit, check, sense
from initiator import Initiator, have_fuse

LUNS_CHANGED, CAPACITY_CHANGED = sense(6, 0x3f, 0x0e), sense(6, 0x2a, 0x09)
END = b"\0\0\0\x77"  # the tag of the ping behind a flood
MIB = 1 << 20
INQUIRIES_A_LOOK = 24


def pdu(connection, opcode, flags=0x80, b2=0, at8=bytes(8), itt=NO_TAG, ttt=NO_TAG, at36=bytes(12), data=b"", counts=True):
    number = connection.stat_sn
    connection.stat_sn = (number + counts) & 0xffffffff
    return bytes([opcode, flags, b2, 0, 0]) + len(data).to_bytes(3, "big") + at8 + itt + ttt + struct.pack(
        ">III", number, connection.exp_cmd_sn, (connection.exp_cmd_sn + 127) & 0xffffffff) + at36 + data + bytes(-len(data) % 4)


def event(code, sense_data=b""):
    data = struct.pack(">H", len(sense_data)) + sense_data if sense_data else b""
    return lambda c: pdu(c, ASYNC_MESSAGE, at36=bytes([code]) + bytes(11), data=data)


def ping(tag, counts=False):
    return lambda c: pdu(c, NOP_IN, ttt=tag, counts=counts)


def reject(c):
    return pdu(c, REJECT, b2=4, data=bytes([0x40, 0x80]) + bytes(14) + NO_TAG * 2 + bytes(24))


def send(target, make, size):
    """So many bytes of it, and a ping behind them.  True: all of it was heard; False: the initiator ended the connection."""
    heard = threading.Event()
    target.on_pong = lambda _connection, tag: heard.set() if tag == END else None
    proc.wait_for("the session", target.online, limit=30)
    c, sent = target.online()[0], 0
    try:
        with c.lock:
            while sent < size:
                blob = b"".join(make(c) for _ in range(500))
                c.s.sendall(blob)
                sent += len(blob)
            c.s.sendall(ping(END)(c))
    except OSError:
        return False
    proc.wait_for("the end of the flood", lambda: heard.is_set() or not c.is_online, limit=60)
    return heard.is_set()


def within(cost, memory=8, log=20000, wait=1, cpu=None):
    assert cost.memory_mib < memory and cost.log_bytes < log and cost.event_bytes < log and cost.descriptors < 16, cost
    assert cost.wait < wait and (cpu is None or cost.cpu < cpu), cost


def floods(t, initiator, target):
    for name, make, size in (
            ("events that ask for a look", event(0, LUNS_CHANGED), 1400000),
            ("many more events that ask for a look", event(0, LUNS_CHANGED), 15 * MIB),
            ("unit attentions as events", event(0, CAPACITY_CHANGED), 4 * MIB),
            ("events of no meaning", event(255), 8 * MIB),
            ("pings without a question", ping(NO_TAG), 8 * MIB),
            ("pings", ping(b"\0\0\0\1"), 8 * MIB),
            ("rejects", reject, 8 * MIB)):
        with t.case("%s: %d bytes of them cost little" % (name, size), 90):
            with Cost(initiator) as cost:
                was_heard = send(target, make, size)
            t.comment("%s (%s): %s" % (name, "heard" if was_heard else "the connection was ended", cost))
            within(cost)


def beside(t, initiator, target):
    with t.case("a disk of another target is served beside a flood", 60):
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        other = FieldTarget([Unit(0, "C")], name="iqn.2026-11.org.example:other")
        initiator.discover(other)
        path = initiator.disk("other", 0)["file"]
        is_over, slowest, n = threading.Event(), 0, 0
        flood = threading.Thread(target=lambda: (send(target, ping(b"\0\0\0\1"), 48 * MIB), is_over.set()), daemon=True)
        flood.start()
        while not is_over.is_set():
            begin = time.monotonic()
            pattern.read_at(path, n % 8000 * 4096, 4096)
            slowest, n = max(slowest, time.monotonic() - begin), n + 1
        flood.join()
        t.comment("%d reads, the slowest took %.3f s" % (n, slowest))
        assert n > 20 and slowest < 1, (n, slowest)


def looks(t, initiator, target):
    with t.case("however often it asks, looks have a pace"):
        before, begin = len(target.commands([0xa0])), len(target.commands([INQUIRY]))
        with Cost(initiator) as cost:
            for _ in range(5):
                send(target, event(0, LUNS_CHANGED), 100000)
        reports, inquiries = len(target.commands([0xa0])) - before, len(target.commands([INQUIRY])) - begin
        t.comment("%d REPORT LUNS, %d INQUIRY in %.2f s" % (reports, inquiries, cost.seconds))
        # A look asks each LUN, and the units ask once more by themselves.
        assert reports <= 2 + cost.seconds and inquiries <= INQUIRIES_A_LOOK * (2 + cost.seconds), (reports, inquiries)
        proc.wait_for("a look", lambda: len(target.commands([0xa0])) > before)


def unread(t, initiator, target):
    with t.case("pings of somebody who reads no answers are not read either, and cost little", 60):
        proc.wait_for("the session", target.online, limit=30)
        c = target.online()[0]
        target.freeze()
        c.s.settimeout(3)
        with Cost(initiator) as cost:
            try:
                with c.lock:
                    for _ in range(4000):
                        c.s.sendall(b"".join(ping(b"\0\0\0\1")(c) for _ in range(500)))
                was_read = True
            except OSError:
                was_read = False
        t.comment("%s: %s" % ("all of it was taken" if was_read else "it was not taken any more", cost))
        target.thaw()
        c.hang_up()
        within(cost)
        assert not was_read


def during_a_probe(t, initiator, target):
    def empty(command):
        if command.opcode != INQUIRY or command.cdb[1]:
            return None
        c = command.connection
        with c.lock:
            for _ in range(100):
                c.s.sendall(b"".join(pdu(c, DATA_IN, 0, at8=command.lun, itt=command.itt, at36=struct.pack(">III", n, 0, 0),
                                         counts=False) for n in range(500)))
        return SILENT

    for name, answer in (("data without bytes, for ever", empty),
                         ("unit attentions to every command", lambda c: check(6, 0x3f, 0x0e) if c.opcode == INQUIRY else None),
                         ("never ready", lambda c: check(2, 0x04, 0x01) if c.opcode == TEST_UNIT_READY else None)):
        with t.case("a probe that is answered with %s costs little, and others are served" % name, 100):
            target.on_command = answer
            with Cost(initiator) as cost:
                initiator.request("scan", limit=90)
            t.comment("%s: %s" % (name, cost))
            within(cost, log=40000)
        target.on_command = lambda _: None


def logins(t, initiator, target):
    def endless(c):
        c.login_answer([("TargetPortalGroupTag", "1")], 0)
        while True:
            c.receive()
            c.login_answer([], 0)

    for name, order in (("goes on for ever", endless), ("is refused", lambda c: Refused(3, 1)), ("is dropped", lambda c: "drop")):
        with t.case("a login that %s costs little, and has a pace" % name, 60):
            before, ends = target.count("login"), target.count("end")
            target.on_login = order
            target.hang_up()
            with Cost(initiator) as cost:
                proc.wait_for("the login to end", lambda: target.count("end") > ends + 1, limit=30)
            t.comment("%d logins: %s" % (target.count("login") - before, cost))
            within(cost)
            assert target.count("login") - before < 10 + 4 * cost.seconds, cost
        target.on_login = lambda _: None
        initiator.request("scan")  # at once, whatever the pause
        proc.wait_for("the session", target.online, limit=60)


def main():
    with tap.script() as t, Initiator() as initiator:
        t.show_on_failure(initiator)
        target = FieldTarget([Unit(0), Unit(1, "B")])
        initiator.discover(target)
        floods(t, initiator, target)
        beside(t, initiator, target)
        looks(t, initiator, target)
        unread(t, initiator, target)
        during_a_probe(t, initiator, target)
        logins(t, initiator, target)


main()
