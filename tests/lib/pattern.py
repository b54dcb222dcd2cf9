"""Writes patterns to a disk, remembers every byte in a sparse shadow file, and compares: what the disk gives back and what the
target's backing file holds must both be the shadow, everywhere, also where nothing was written."""
import errno
import fcntl
import mmap
import os
import random
import stat
import struct

BLKGETSIZE64, BLKSSZGET = 0x80081272, 0x1268
CHUNK = 1 << 20


def device_size(path):
    with open(path, "rb") as f:
        if stat.S_ISBLK(os.fstat(f.fileno()).st_mode):
            return struct.unpack("Q", fcntl.ioctl(f, BLKGETSIZE64, bytes(8)))[0]
        return os.fstat(f.fileno()).st_size


def device_block(path):
    with open(path, "rb") as f:
        return struct.unpack("i", fcntl.ioctl(f, BLKSSZGET, bytes(4)))[0]


def read_at(path, offset, length):
    """Reads around the page cache."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, max(length, 1)) as buffer:
            got = 0
            while got < length:
                n = os.preadv(fd, [memoryview(buffer)[got:length]], offset + got)
                if n == 0:
                    raise AssertionError("%s: end at %d, expected %d bytes more" % (path, offset + got, length - got))
                got += n
            return buffer[:length]
    finally:
        os.close(fd)


def write_at(path, offset, data, direct=True):
    """Writes, and flushes where the page cache was used."""
    fd = os.open(path, os.O_WRONLY | (os.O_DIRECT if direct else 0))
    try:
        with mmap.mmap(-1, len(data)) as buffer:
            buffer[:] = data
            done = 0
            while done < len(data):
                with memoryview(buffer) as view, view[done:] as rest:
                    done += os.pwritev(fd, [rest], offset + done)
        if not direct:
            os.fsync(fd)
    finally:
        os.close(fd)


def data_ranges(path):
    """Where a sparse file has data."""
    fd = os.open(path, os.O_RDONLY)
    try:
        at = 0
        while True:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as e:
                if e.errno == errno.ENXIO:
                    return
                raise
            at = os.lseek(fd, start, os.SEEK_HOLE)
            yield start, at
    finally:
        os.close(fd)


def copy_sparse(source, target):
    with open(source, "rb") as a, open(target, "wb") as b:
        b.truncate(os.fstat(a.fileno()).st_size)
        for start, end in data_ranges(source):
            for at in range(start, end, CHUNK):
                os.pwrite(b.fileno(), os.pread(a.fileno(), min(CHUNK, end - at), at), at)


def differences(a, b):
    """The first byte at which two sparse files differ, or None."""
    with open(a, "rb") as fa, open(b, "rb") as fb:
        for path in (a, b):
            for start, end in data_ranges(path):
                for at in range(start, end, CHUNK):
                    n = min(CHUNK, end - at)
                    xa, xb = os.pread(fa.fileno(), n, at), os.pread(fb.fileno(), n, at)
                    xa, xb = xa.ljust(n, b"\0"), xb.ljust(n, b"\0")
                    if xa != xb:
                        return at + next(i for i in range(n) if xa[i] != xb[i])
    return None


class Disk:
    """path: the disk file or block device; backing: the target's file; block: its block size."""

    def __init__(self, path, backing, shadow, block=512, seed=0):
        self.path, self.backing, self.shadow, self.block = path, backing, shadow, block
        self.random = random.Random(seed)
        self.size = os.path.getsize(backing)
        self.written = []
        copy_sparse(backing, shadow)

    def write(self, offset, data, direct=True):
        write_at(self.path, offset, data, direct)
        with open(self.shadow, "r+b") as f:
            os.pwrite(f.fileno(), data, offset)
        self.written.append((offset, len(data)))

    def write_patterns(self, count, blocks_max, direct=True):
        """Random sizes and offsets, some of them touching or overlapping; and both ends of the disk."""
        blocks = self.size // self.block
        sizes = [1, 2, 3, blocks_max] + [self.random.randint(1, blocks_max) for _ in range(max(count - 4, 0))]
        for i, n in enumerate(sizes[:count]):
            n = min(n, blocks)
            at = self.random.randint(0, blocks - n)
            if i == 0:
                at = 0
            elif i == 1:
                at = blocks - n
            elif i % 5 == 4 and self.written:
                at = min((self.written[-1][0] + self.written[-1][1]) // self.block, blocks - n)
            self.write(at * self.block, self.random.randbytes(n * self.block), direct)

    def check(self):
        """Every byte: reading back what was written, and the whole backing file."""
        with open(self.shadow, "rb") as f:
            for offset, length in self.written:
                if read_at(self.path, offset, length) != os.pread(f.fileno(), length, offset):
                    raise AssertionError("%s: reading %d bytes at %d gives other bytes than were written"
                                         % (self.path, length, offset))
        at = differences(self.shadow, self.backing)
        if at is not None:
            raise AssertionError("%s: the target's file differs from what was written at byte %d" % (self.backing, at))
