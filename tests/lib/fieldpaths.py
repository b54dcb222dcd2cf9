"""Portals of one array: targets that have their units in common, each a machine and a target port group of its own."""
import statistics
import struct
import threading

import field
import proc
from fieldtgt import FieldTarget
from fieldunit import FLUSHES, READS, WRITES, Answer, check

INQUIRY, REPORT_GROUPS, SET_GROUPS = 0x12, 0xa3, 0xa4
OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE, OFFLINE, TRANSITIONING = 0, 1, 2, 3, 0xe, 0xf
CHANGED = check(6, 0x2a, 6).sense
PIECE = 1 << 20  # what is read at once, at the end


class Port(FieldTarget):
    """access: what its group is to all units; None: the array knows nothing of ALUA.  group: its portal group tag, too."""

    def __init__(self, units, group=1, access=None, **more):
        super().__init__(units, **more)
        self.group, self.access, self.array = group, access, [self]
        self.tags = {self.port: group}
        self.refused = 0  # reads and writes that came while it did not serve

    def report(self, cdb):
        head = bytes([0x10, 5, 0, 0]) if cdb[1] & 0x20 else b""
        groups = b"".join(struct.pack(">BBHBBBBHH", p.access, 0xf, p.group, 0, 0, 0, 1, 0, p.group) for p in self.array)
        return Answer(data=struct.pack(">I", len(head + groups)) + head + groups)

    def inquiry(self, command):
        answer = super().execute(command)
        data = bytearray(answer.data)
        if command.cdb[1] & 1 == 0:
            data[5] = 0x10
        elif command.cdb[2] == 0x83:
            data += struct.pack(">BBBBHHBBBBHH", 0x51, 0x94, 0, 4, 0, self.group, 0x51, 0x95, 0, 4, 0, self.group)
            data[2:4] = struct.pack(">H", len(data) - 4)
        return Answer(data=bytes(data))

    def execute(self, command):
        opcode = command.opcode
        if self.access is None:
            return super().execute(command)
        if opcode == INQUIRY:
            return self.inquiry(command)
        if opcode == REPORT_GROUPS:
            return self.report(command.cdb)
        if self.access in (OPTIMIZED, NON_OPTIMIZED) or opcode == 0xa0:
            return super().execute(command)
        self.refused += opcode in READS + WRITES + FLUSHES
        return check(2, 4, {TRANSITIONING: 0x0a, STANDBY: 0x0b}.get(self.access, 0x0c))

    def become(self, access, is_told=True):
        """is_told: each session hears of it with its next command."""
        self.access = access
        for port in self.array:
            for unit in port.units if is_told else ():
                for connection in port.online():
                    connection.attentions.setdefault(unit.address, []).append(CHANGED)


def array(units, n=2, access=None, **more):
    """So many ports, each of which names them all."""
    ports = [Port(units, group=i + 1, access=access, **more) for i in range(n)]
    for port in ports:
        port.array = ports
        port.portals = ["%s,%d" % (p.portal(), p.group) for p in ports]
    return ports


# How a port fails.
FAULTS = {"reset": lambda port: port.hang_up(True), "refused": lambda port: port.stop(), "silent": lambda port: port.freeze()}


def mend(port):
    port.thaw()
    if not port.listeners:
        port.again()


def told(t, what, times, bound, slack):
    """Says how long the longest request of each event took, in seconds, beside what is promised; they keep that, and the slack of a busy
    machine.  One of six may come when the machine was somebody else's for longer."""
    t.comment("%s, %d times: the longest request of each took %.2f s at the least, %.2f in the middle, %.2f in nine of ten, %.2f at the most (%.1f is promised)" % (
        what, len(times), min(times), statistics.median(times), sorted(times)[(9 * len(times) - 1) // 10], max(times), bound))
    late = [s for s in times if s >= bound + slack]
    assert len(late) <= len(times) // 6 and max(times) < bound + 3 * slack, (what, times)


class Writers:
    """Verifying writers, each on its own blocks: what was written last is what is read, all the time.  start: of their part of the disk."""

    def __init__(self, path, n=4, blocks=16, size=field.BLOCK, start=0):
        self.path, self.n, self.blocks, self.size, self.start = path, n, blocks, size, start
        self.stop, self.errors, self.longest, self.turns = threading.Event(), [], 0.0, [0] * n
        self.last = [{} for _ in range(n)]
        self.threads = [threading.Thread(target=self.run, args=(k,), daemon=True) for k in range(n)]

    def run(self, k):
        number = 0
        while not self.stop.is_set():
            number += 1
            at = self.start + (k * self.blocks + number % self.blocks) * self.size
            data = (b"%d.%d " % (k, number)).ljust(64, b"~") * (self.size // 64)
            for begin in (lambda: field.write(self.path, at, data), lambda: field.read(self.path, at, self.size)):
                io = begin()
                io.join(120)
                self.longest = max(self.longest, io.took)
                if io.error is not None or io.is_alive() or (io.what == "read" and io.got != data):
                    self.errors.append((k, number, io.what, io.error, io.took))
                    return
            self.last[k][at] = data
            self.turns[k] += 1

    @property
    def done(self):
        return sum(self.turns)

    def go_on(self, turns=1, limit=60):
        """Waits until each has ended what it had begun, and so many more; or failed, which check() says."""
        before = list(self.turns)
        proc.wait_for("work to go on", lambda: self.errors or all(now > then + turns for now, then in zip(self.turns, before)), limit=limit)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(130)

    def check(self):
        assert not self.errors, self.errors
        pieces = {}
        for at, data in (item for blocks in self.last for item in blocks.items()):
            pieces.setdefault(at // PIECE, {})[at % PIECE] = data
        for number, blocks in pieces.items():
            whole = field.read(self.path, number * PIECE, max(blocks) + self.size).good(10).got
            for at, data in blocks.items():
                got = whole[at:at + self.size]
                assert got == data, "at %d: %r, not %r" % (number * PIECE + at, got[:32], data[:32])
