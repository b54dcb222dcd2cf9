"""A target that does everything at once that a target may do, by chance: no I/O fails, no byte is another's, nobody waits long.

chaos.py [SEED...]: each seed is a world of its own.
"""
import os
import random
import struct
import sys
import threading
import time

import field
import tap
from fieldtgt import DROP, RESET, SILENT, FieldTarget
from fieldunit import BUSY, FLUSHES, READS, TASK_SET_FULL, WRITES, Unit, check

SECONDS = int(os.environ.get("OPENISW_CHAOS_SECONDS", "20"))
WRITERS, BLOCKS, BLOCK = 6, 16, 8192
LONGEST_S = 20
# What becomes of a read, a write or a flush, of a thousand.
CHANCES = [("a drop", 3, DROP), ("a reset", 2, RESET), ("BUSY", 4, BUSY), ("TASK SET FULL", 4, TASK_SET_FULL),
           ("aborted", 4, check(0xb, 0x47)), ("power on", 3, check(6, 0x29)), ("capacity changed", 2, check(6, 0x2a, 0x09)),
           ("LUNs changed", 2, check(6, 0x3f, 0x0e)), ("becoming ready", 3, check(2, 0x04, 0x01)), ("silence", 1, SILENT),
           ("a drop after it was done", 3, "late")]


class Fate:
    def __init__(self, seed):
        self.random, self.lock, self.counts, self.on = random.Random(seed), threading.Lock(), {}, True

    def decide(self, command):
        if command.opcode not in READS + WRITES + FLUSHES or not self.on:
            return None
        with self.lock:
            at = self.random.random() * 1000
            for what, chance, order in CHANCES:
                at -= chance
                if at < 0:
                    self.counts[what] = self.counts.get(what, 0) + 1
                    break
            else:
                return None
        if order == "late":
            command.execute()
            return DROP
        return order


class Writer(threading.Thread):
    """Blocks of its own, each with its place and a number that grows; the last one that was acknowledged is there."""

    def __init__(self, path, base, seed, over):
        super().__init__(daemon=True)
        self.path, self.base, self.random, self.over = path, base, random.Random(seed), over
        self.numbers, self.done, self.longest, self.error = {}, 0, 0.0, None

    def one(self, fd):
        block, start = self.random.randrange(BLOCKS), time.monotonic()
        at = self.base + block * BLOCK
        if self.random.random() < 0.6:
            number, size = self.numbers.get(block, 0) + 1, self.random.choice((512, 4096, BLOCK))
            os.pwrite(fd, struct.pack(">QQ", at, number) * (size // 16), at)
            self.numbers[block] = number
            if self.random.random() < 0.1:
                os.fsync(fd)
        elif block in self.numbers:
            got = struct.unpack(">QQ", os.pread(fd, 16, at))
            assert got == (at, self.numbers[block]), "block %d holds %s, not %s" % (block, got, (at, self.numbers[block]))
        self.longest = max(self.longest, time.monotonic() - start)
        self.done += 1

    def run(self):
        fd = os.open(self.path, os.O_RDWR)
        try:
            while not self.over.is_set():
                self.one(fd)
        except (OSError, AssertionError) as e:
            self.error = e
        finally:
            os.close(fd)


def world(t, seed):
    fate, over = Fate(seed), threading.Event()
    with FieldTarget([Unit(0, "A"), Unit(1, "B")]) as target, field.world(t, target, CommandTimeout=2, AbortTimeout=2) as made:
        paths = [field.path(made, lun) for lun in (0, 1)]
        target.on_command = fate.decide
        writers = [Writer(paths[k % 2], (k + 1) << 20, seed * 100 + k, over) for k in range(WRITERS)]
        for w in writers:
            w.start()
        over.wait(SECONDS)
        over.set()
        fate.on = False
        for w in writers:
            w.join(LONGEST_S)
        t.comment("%d verified I/Os, %d logins; %s" % (sum(w.done for w in writers), target.logins, fate.counts))
        assert not any(w.is_alive() for w in writers), "a writer hangs"
        assert not [w.error for w in writers if w.error], [str(w.error) for w in writers if w.error]
        assert max(w.longest for w in writers) < LONGEST_S, [round(w.longest, 1) for w in writers]
        assert sum(w.done for w in writers) > SECONDS * 20, "%d I/Os only" % sum(w.done for w in writers)


def main():
    with tap.script() as t:
        for seed in [int(word) for word in sys.argv[1:]] or [1, 2]:
            with t.case("world %d: %d seconds of everything" % (seed, SECONDS), SECONDS + 90):
                world(t, seed)


main()
