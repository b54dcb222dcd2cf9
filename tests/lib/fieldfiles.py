"""A file system on a disk while things happen to the disk: files that are written, synced and remembered, one after the other."""
import os
import random
import threading
import time

import proc

MIB = 1 << 20


class Files(threading.Thread):
    """ext4 in the first MiB of a block device, and who writes there, from `with` on, until finish().  The file system has fewer bytes than
    it writes: the oldest files go."""

    def __init__(self, block, point, size=48 * MIB, keep=40):
        super().__init__(daemon=True)
        self.block, self.point, self.keep = block, point, keep
        self.random, self.stop, self.kept = random.Random(1), threading.Event(), {}
        self.written, self.longest, self.error = 0, 0.0, None
        os.makedirs(point, exist_ok=True)
        proc.run("mkfs.ext4", "-q", "-F", block, "%dk" % (size >> 10), limit=60)

    def path(self, number):
        return os.path.join(self.point, "f%06d" % number)

    def write(self, number):
        data = self.random.randbytes(self.random.choice((1, 511, 4096, 65536, 300000)))
        with open(self.path(number), "wb") as f:
            f.write(data)
            begun = time.monotonic()
            os.fsync(f.fileno())
        self.longest = max(self.longest, time.monotonic() - begun)
        self.kept[number] = data
        if number - self.keep in self.kept:
            os.unlink(self.path(number - self.keep))
            del self.kept[number - self.keep]

    def run(self):
        try:
            while not self.stop.is_set():
                self.write(self.written)
                self.written += 1
        except OSError as e:  # told by check()
            self.error = e

    def __enter__(self):
        proc.run("mount", "-o", "errors=remount-ro", self.block, self.point)
        self.start()
        return self

    def finish(self):
        """No more files; unmounted."""
        self.stop.set()
        self.join(130)
        proc.run("umount", self.point, limit=130)

    def __exit__(self, *_):
        if os.path.ismount(self.point):
            self.finish()

    def check(self):
        """Nobody failed, fsck finds nothing, and what was synced is what is read after another mount."""
        assert self.error is None and not self.is_alive(), self.error
        proc.run("fsck.ext4", "-fn", self.block, limit=60)
        proc.run("mount", "-o", "ro", self.block, self.point)
        try:
            for number, data in self.kept.items():
                with open(self.path(number), "rb") as f:
                    assert f.read() == data, self.path(number)
            assert sorted(os.listdir(self.point)) == sorted(["lost+found"] + [os.path.basename(self.path(n)) for n in self.kept])
        finally:
            proc.run("umount", self.point, limit=60)
