"""Writers that check every byte they ever wrote, while a test disturbs what is below them."""
import mmap
import os
import random
import select
import threading
import time

import pattern

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
        self.worst = 0.0  # seconds that one of them took
        self.error = None

    def content(self, block, stamp):
        seed = (b"%08d-%08d-%08d|" % (self.first, block, stamp)) if stamp else b"\0"
        return (seed * (BLOCK // len(seed) + 1))[:BLOCK]

    def run(self):
        fd = os.open(self.path, os.O_RDWR | os.O_DIRECT)
        try:
            with mmap.mmap(-1, BLOCK) as buffer:
                while not self.until.is_set():
                    began = time.monotonic()
                    self.one(fd, buffer)
                    self.worst = max(self.worst, time.monotonic() - began)
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


def load_while(path, disturb, seconds=None, times=None, pause=(2, 4)):
    """Runs the writers and calls disturb() every few seconds, for so long or so often.

    Returns the writers after all of them ended well.
    """
    until = threading.Event()
    writers = [Writer(path, i, until) for i in range(WRITERS)]
    end = time.monotonic() + (seconds or 3600)
    for w in writers:
        w.start()
    disturbed = 0
    while time.monotonic() < end and disturbed != times and all(w.is_alive() for w in writers):
        select.select([], [], [], random.uniform(*pause))
        disturb()
        disturbed += 1
    until.set()
    for w in writers:
        w.join(60)
        assert not w.is_alive(), "a writer hangs"
        if w.error:
            raise w.error
    note = "%d writes, %d reads, %d disturbances, the longest of them took %.1f s" % (
        sum(w.writes for w in writers), sum(w.reads for w in writers), disturbed, max(w.worst for w in writers))
    print("# " + note, flush=True)
    assert disturbed >= 2 and all(w.writes > 20 for w in writers), note
    return writers


def check_all(writers, path):
    for w in writers:
        data = pattern.read_at(path, w.first, SIZE // WRITERS)
        for block in range(w.blocks):
            w.check(block, data[block * BLOCK:(block + 1) * BLOCK])
