"""What tests with a FieldTarget have in common: an initiator with short time limits, and I/O in the background."""
import contextlib
import errno
import fcntl
import mmap
import os
import pty
import struct
import subprocess
import termios
import threading
import time

import proc
import tap
from initiator import Initiator, have_fuse

BLOCK = 4096


class Io(threading.Thread):
    """One read, write or flush that is under way while things change.  .error is None or an errno's name."""

    def __init__(self, path, what, offset=0, data=b"", length=BLOCK):
        super().__init__(daemon=True)
        self.path, self.what, self.offset, self.data, self.length = path, what, offset, data, len(data) or length
        self.error, self.got, self.begun, self.ended = None, None, time.monotonic(), None
        self.start()

    def act(self, fd):
        if self.what == "flush":
            os.fsync(fd)
            return
        with mmap.mmap(-1, self.length) as buffer:
            if self.what == "write":
                buffer[:] = self.data
                os.pwritev(fd, [buffer], self.offset)
            else:
                os.preadv(fd, [buffer], self.offset)
                self.got = buffer[:]

    def run(self):
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_DIRECT)
            try:
                self.act(fd)
            finally:
                os.close(fd)
        except OSError as e:
            self.error = errno.errorcode[e.errno]
        self.ended = time.monotonic()

    @property
    def took(self):
        return (self.ended or time.monotonic()) - self.begun

    def wait(self, limit):
        """Its end, within so many seconds."""
        self.join(limit)
        assert not self.is_alive(), "a %s at %d hangs for %.1f s" % (self.what, self.offset, self.took)
        return self

    def good(self, limit):
        assert self.wait(limit).error is None, "a %s at %d: %s after %.1f s" % (self.what, self.offset, self.error, self.took)
        return self

    def bad(self, limit, *errors):
        assert self.wait(limit).error in (errors or ("EIO", "ENXIO")), "a %s at %d: %s after %.1f s" % (
            self.what, self.offset, self.error or "it came through", self.took)
        return self


def read(path, offset=0, length=BLOCK):
    return Io(path, "read", offset, length=length)


def write(path, offset, data):
    return Io(path, "write", offset, data)


def block(text, length=BLOCK):
    return (text.encode() * length)[:length]


@contextlib.contextmanager
def initiator(t, held=False, **limits):
    """One with a root of its own.  held: its disks outlive its driver.  limits: ReplacementTimeout=5, ..."""
    if not have_fuse():
        raise tap.Skip("no /dev/fuse here")
    with Initiator("root%d" % len(t.logs), held=held) as made:
        t.show_on_failure(made)
        for key, seconds in limits.items():
            made.command("iscsiutil", "-t", key, seconds)
        yield made


@contextlib.contextmanager
def world(t, *targets, held=False, **limits):
    """An initiator that has scanned these targets."""
    with initiator(t, held, **limits) as made:
        made.discover(*targets)
        yield made


def path(made, lun=0, suffix="field"):
    """The file of a LUN, once it is there."""
    return proc.wait_for("the file of LUN %d of %s" % (lun, suffix), lambda: made.disk(suffix, lun).get("file"), limit=5)


def state(made, suffix="field"):
    found = [s["state"] for s in made.request("session.list")["sessions"] if s["target_name"].endswith(":" + suffix)]
    return found[0] if found else None


def wait_online(made, suffix="field", limit=30):
    proc.wait_for("the session to be online", lambda: state(made, suffix) == "online", limit=limit)


def pause(seconds):
    """Lets time pass: for what must not happen, and for what lasts by the clock."""
    threading.Event().wait(seconds)


def events(made):
    """The event log as the command shows it."""
    return made.command("iscsiutil", "--events").out


def terminal(made, columns, *words):
    """What a command writes to a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    p = subprocess.Popen([made.program(words[0]), *words[1:]], stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
                         env=made.env)
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # nobody has the other end any more
            break
        if not part:
            break
        text += part
    os.close(leader)
    assert p.wait(10) == 0, text
    return text.decode().replace("\r\n", "\n")
