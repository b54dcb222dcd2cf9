"""What a hostile target can make the driver hold, write and do: each kind of flood that the protocol allows, measured."""
import struct
import threading

import proc
import tap
from cost import Cost
from fieldtgt import ASYNC_MESSAGE, DATA_IN, NO_TAG, NOP_IN, REJECT, FieldTarget, moved_to
from fieldunit import INQUIRY, Unit, check, sense
from initiator import Initiator

LUNS_CHANGED = sense(6, 0x3f, 0x0e)
END = b"\0\0\0\x77"  # the tag of the ping behind a flood


def pdu(connection, opcode, flags=0x80, b2=0, at8=bytes(8), itt=NO_TAG, ttt=NO_TAG, at36=bytes(12), data=b"", counts=True):
    number = connection.stat_sn
    connection.stat_sn = (number + counts) & 0xffffffff
    return bytes([opcode, flags, b2, 0, 0]) + len(data).to_bytes(3, "big") + at8 + itt + ttt + struct.pack(
        ">III", number, connection.exp_cmd_sn, (connection.exp_cmd_sn + 127) & 0xffffffff) + at36 + data + bytes(-len(data) % 4)


def event(connection, code, sense_data=b""):
    data = struct.pack(">H", len(sense_data)) + sense_data if sense_data else b""
    return pdu(connection, ASYNC_MESSAGE, at36=bytes([code]) + bytes(11), data=data)


class Flood:
    """A session with a target that says one thing again and again, and how one knows that all of it was heard."""

    def __init__(self, initiator, target):
        self.initiator, self.target = initiator, target
        self.ended = threading.Event()
        target.on_pong = lambda _connection, tag: self.ended.set() if tag == END else None

    def connection(self):
        proc.wait_for("the session", lambda: self.target.online(), limit=30)
        return self.target.online()[0]

    def send(self, make, bytes_in_all, limit=60):
        """make(connection): a PDU.  True: all of it was heard; False: the initiator ended the connection."""
        self.ended.clear()
        c, size = self.connection(), 0
        try:
            with c.lock:
                while size < bytes_in_all:
                    blob = b"".join(make(c) for _ in range(500))
                    c.s.sendall(blob)
                    size += len(blob)
                c.s.sendall(pdu(c, NOP_IN, ttt=END, counts=False))
        except OSError:
            return False
        proc.wait_for("the end of the flood", lambda: self.ended.is_set() or not c.is_online, limit=limit)
        return self.ended.is_set()


def flood(t, initiator, name, make, size, memory, log, **more):
    """A case: so many bytes of it cost so many MiB and log bytes at most."""
    f = Flood(initiator, t.target)
    with t.case("%s: %d bytes of it cost %g MiB and %d bytes of log at most" % (name, size, memory, log), 90):
        with Cost(initiator) as cost:
            was_heard = f.send(make, size)
        t.comment("%s (%s): %s" % (name, "heard" if was_heard else "the connection was ended", cost))
        assert cost.memory_mib < memory and cost.log_bytes < log and cost.event_bytes < log, cost
        assert cost.wait < more.get("wait", 1), cost


def main():
    with tap.script() as t, Initiator() as initiator:
        t.show_on_failure(initiator)
        t.target = target = FieldTarget([Unit(0), Unit(1)])
        initiator.discover(target)
        flood(t, initiator, "a look is asked for", lambda c: event(c, 0, LUNS_CHANGED), 1400000, 8, 20000)
        flood(t, initiator, "events of no meaning", lambda c: event(c, 255), 4 << 20, 8, 20000)
        flood(t, initiator, "pings without a question", lambda c: pdu(c, NOP_IN, counts=False), 4 << 20, 8, 20000)
        flood(t, initiator, "pings", lambda c: pdu(c, NOP_IN, ttt=b"\0\0\0\1", counts=False), 4 << 20, 8, 20000)
        flood(t, initiator, "rejects", lambda c: pdu(c, REJECT, b2=4, data=bytes([0x40, 0x80]) + bytes(14) + NO_TAG * 2 + bytes(24)),
              4 << 20, 8, 20000)


main()
