"""A target that is killed and comes back every few seconds, under writers that check every byte.

No error may reach the writers, no byte may differ: what was acknowledged is there, what was under way when the target died
is sent again, once, after the old session is known to be dead.  OPENISW_RESTART_SECONDS: how long for each target.
"""
import mmap
import os
import random
import select
import signal
import sys
import threading
import time

import pattern
import tap
from initiator import Initiator, have_fuse, have_loop
from istgt import Istgt
from tgt import Tgt

SECONDS = int(os.environ.get("OPENISW_RESTART_SECONDS", "120"))
SIZE = 32 << 20
BLOCK = 8192
WRITERS = 4


class Writer(threading.Thread):
    """Writes and reads blocks of a part of the disk that is its own, and remembers what each must hold."""

    def __init__(self, path, number, until):
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.first = SIZE // WRITERS * number
        self.blocks = SIZE // WRITERS // BLOCK
        self.path, self.until = path, until
        self.stamp = {}
        self.writes = self.reads = 0
        self.error = None

    def content(self, block, stamp):
        seed = (b"%08d-%08d-%08d|" % (self.first, block, stamp)) if stamp else b"\0"
        return (seed * (BLOCK // len(seed) + 1))[:BLOCK]

    def run(self):
        fd = os.open(self.path, os.O_RDWR | os.O_DIRECT)
        try:
            with mmap.mmap(-1, BLOCK) as buffer:
                while not self.until.is_set():
                    self.one(fd, buffer)
        except Exception as e:  # told by the main thread
            self.error = e
        finally:
            os.close(fd)

    def one(self, fd, buffer):
        block = self.random.randrange(self.blocks)
        offset = self.first + block * BLOCK
        if self.random.random() < 0.6:
            self.writes += 1
            buffer[:] = self.content(block, self.writes)
            if os.pwritev(fd, [buffer], offset) != BLOCK:
                raise AssertionError("a short write at %d" % offset)
            self.stamp[block] = self.writes
        else:
            self.reads += 1
            if os.preadv(fd, [buffer], offset) != BLOCK:
                raise AssertionError("a short read at %d" % offset)
            self.check(block, buffer[:])

    def check(self, block, got):
        want = self.content(block, self.stamp.get(block, 0))
        if got != want:
            raise AssertionError("block %d holds %r, not %r" % (block, got[:28], want[:28]))


def load_while(path, seconds, disturb):
    """Runs the writers, calls disturb() every few seconds, and returns the writers after all of them ended well."""
    until = threading.Event()
    writers = [Writer(path, i, until) for i in range(WRITERS)]
    end = time.monotonic() + seconds
    for w in writers:
        w.start()
    disturbed = 0
    while time.monotonic() < end and all(w.is_alive() for w in writers):
        select.select([], [], [], 2 + random.random() * 2)
        disturb()
        disturbed += 1
    until.set()
    for w in writers:
        w.join(60)
        assert not w.is_alive(), "a writer hangs"
        if w.error:
            raise w.error
    tap_note = "%d writes, %d reads, %d restarts" % (sum(w.writes for w in writers), sum(w.reads for w in writers),
                                                     disturbed)
    print("# " + tap_note, flush=True)
    assert disturbed >= 2 and all(w.writes > 20 for w in writers), tap_note
    return writers


def check_all(writers, path):
    for w in writers:
        data = pattern.read_at(path, w.first, SIZE // WRITERS)
        for block in range(w.blocks):
            w.check(block, data[block * BLOCK:(block + 1) * BLOCK])


def disk_path(initiator, node):
    if have_loop():
        initiator.command("insf", "-H", "255")
        return initiator.disk("restart", node["lun"])["block"]
    return node["file"]


def against(t, name, make, lun, again):
    if not have_fuse():
        raise tap.Skip("no /dev/fuse here")
    target, backing = make()
    with target, Initiator(name + "-root") as initiator:
        t.show_on_failure(initiator)
        if name == "tgt":
            backing = again(target)
        initiator.discover(target)
        path = disk_path(initiator, initiator.disk("restart", lun))

        def kill_and_start():
            target.daemon.kill(signal.SIGKILL)
            target.start()
            if name == "tgt":
                again(target)

        with t.case("%s: writers see no error and no wrong byte" % name, limit=SECONDS + 150):
            writers = load_while(path, SECONDS, kill_and_start)
        with t.case("%s: every byte acknowledged is in the target's file" % name, limit=120):
            check_all(writers, path)
            check_all(writers, backing)


def tgt_again(tgt):
    tgt.names = []
    return tgt.lun(tgt.target("restart"), 1, size=SIZE)


def make_istgt():
    target = Istgt()
    return target, target.target("restart", luns=(0,), size=SIZE)[0]


def main():
    with tap.script() as t:
        if sys.argv[1] == "tgt":
            against(t, "tgt", lambda: (Tgt(), None), 1, tgt_again)
        else:
            against(t, "istgt", make_istgt, 0, None)


main()
