"""Everything at once: clients that scan, count, log out, ping, configure, install and remove; targets that hang up; readers and
writers that check every byte.  Nothing ends that should not, nothing hangs, no byte is another's.

In ./check it runs under AddressSanitizer and, twice, under ThreadSanitizer: what they find ends the driver badly.  The latter has
one table of descriptors for the whole process, but the threads that attach loop devices have one of their own; so it looks at
everything but what system calls touch (the default), and at that, too, where there are no loop devices ("no-loop").
"""
import contextlib
import os
import random
import socket
import sys
import threading

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Refused

PREFIX = "iqn.2026-11.org.example:"
TARGETS, CLIENTS = 3, 6
SECONDS = int(os.environ.get("OPENISW_CHURN_SECONDS", "30"))
ASKED = 90  # an answer takes no longer, sanitizer or not
# operation -> (how often, its arguments)
OPERATIONS = {
    "stats.get": (10, lambda r: dict(sessions=True, connections=True)),
    "stats.clear": (3, lambda r: dict(sessions=True)),
    "io.tree": (10, lambda r: {}),
    "session.list": (10, lambda r: {}),
    "session.trace": (5, lambda r: dict(instance=r.randrange(TARGETS))),
    "session.nop": (5, lambda r: dict(instance=r.randrange(TARGETS))),
    "session.logout": (3, lambda r: dict(instance=r.randrange(TARGETS), force=True)),
    "scan": (4, lambda r: {}),
    "target.list": (5, lambda r: {}),
    "target.remove": (1, lambda r: dict(name=PREFIX + "c%d" % r.randrange(TARGETS), force=True)),
    "keys.set": (3, lambda r: dict(key=r.choice(("NOPInterval", "CommandTimeout")), values=str(r.randrange(10, 40)))),
    "initiator.get": (3, lambda r: {}),
    "device.install": (3, lambda r: {}),
    "device.remove": (1, lambda r: dict(all=True, force=True)),
    "driver.status": (3, lambda r: {}),
}
NAMES = [name for name, (often, _) in OPERATIONS.items() for _ in range(often)]


class Churn:
    def __init__(self, made, targets):
        self.made, self.targets = made, targets
        self.over = threading.Event()
        self.lock, self.counts, self.wrong = threading.Lock(), {}, []

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def complain(self, text):
        with self.lock:
            self.wrong.append(text)
        self.over.set()

    def ask(self, number):
        r = random.Random(number)
        while not self.over.is_set():
            name = r.choice(NAMES)
            try:
                self.made.request(name, ASKED, **OPERATIONS[name][1](r))
                self.count(name)
            except Refused:
                self.count("refused")
            except (OSError, proc.Failed) as e:
                if not self.over.is_set():
                    self.complain("%s: %s" % (name, e))

    def disturb(self):
        r = random.Random(99)
        while not self.over.wait(r.random() * 0.5):
            r.choice(self.targets).hang_up(is_reset=r.random() < 0.5)
            self.count("hang-ups")

    def verify(self, number):
        """One block of each disk is this thread's: what was acknowledged is there."""
        written, k = {}, 0
        while not self.over.is_set():
            for key, file in self.files().items():
                k += 1
                with self.opened(key, file) as path:
                    if path:
                        self.one(key, path, number * field.BLOCK, written, "%d:%d " % (number, k), read=k % 2)
            self.over.wait(0.01)

    def files(self):
        """(target, LUN) -> its file."""
        try:
            return {(d["target_name"], d["lun"]): d["file"] for d in self.made.tree("disk") if d.get("file")}
        except (OSError, Refused, proc.Failed):
            return {}

    @contextlib.contextmanager
    def opened(self, key, file):
        """A path to the disk of this key and to no other, or None.  Who is removed leaves the names of its disks to the
        next one: what was opened is the right file if the name still leads there, and the disk still has that name."""
        fd = None
        try:
            fd = os.open(file, os.O_RDWR | os.O_DIRECT)
            is_right = self.files().get(key) == file and os.path.samestat(os.fstat(fd), os.stat(file))
        except OSError:
            is_right = False
        try:
            self.count("files" if is_right else "other files")
            yield "/proc/self/fd/%d" % fd if is_right else None
        finally:
            if fd is not None:
                with contextlib.suppress(OSError):  # of a disk that was removed
                    os.close(fd)

    def one(self, key, path, offset, written, text, read):
        if read and key in written:
            io = field.read(path, offset)
        else:
            io, read = field.write(path, offset, field.block(text)), False
        io.join(ASKED)
        if io.is_alive():
            self.complain("a %s of %s hangs" % (io.what, key))
        elif io.error:
            self.count("I/O errors")  # of a disk that is being removed
            if not read:
                written.pop(key, None)
        elif not read:
            written[key] = field.block(text)
            self.count("writes")
        elif io.got != written[key]:
            self.complain("%s: %r is there, not %r" % (key, io.got[:16], written[key][:16]))
        else:
            self.count("reads")

    def run(self, seconds):
        threads = [threading.Thread(target=self.ask, args=(k,), daemon=True) for k in range(CLIENTS)]
        threads += [threading.Thread(target=self.verify, args=(k,), daemon=True) for k in range(2)]
        threads.append(threading.Thread(target=self.disturb, daemon=True))
        for thread in threads:
            thread.start()
        self.over.wait(seconds)
        self.over.set()
        for thread in threads:
            thread.join(ASKED)
        return [thread for thread in threads if thread.is_alive()]


def without_loop():
    """Nobody finds a loop device from here."""
    if not box.isolated():
        raise tap.Skip("no namespace of mounts here")
    nobody = os.path.join(box.directory(), "nobody")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(nobody)  # what cannot be opened
    proc.run("mount", "--bind", nobody, "/dev/loop-control")


def main():
    with tap.script() as t, contextlib.ExitStack() as stack:
        if sys.argv[1:] == ["no-loop"]:
            without_loop()
        else:
            os.environ["TSAN_OPTIONS"] = "ignore_interceptors_accesses=1"
        targets = [stack.enter_context(FieldTarget([Unit(0, "%d/0" % k), Unit(1, "%d/1" % k)], name=PREFIX + "c%d" % k))
                   for k in range(TARGETS)]
        made = stack.enter_context(field.initiator(t))
        with t.case("the driver serves everybody at once, and no byte is another's", SECONDS + 3 * ASKED):
            made.discover(*targets)
            churn = Churn(made, targets)
            hanging = churn.run(SECONDS)
            t.comment(", ".join("%s %d" % pair for pair in sorted(churn.counts.items())))
            assert not churn.wrong, churn.wrong[:5]
            assert not hanging, "%d threads hang" % len(hanging)
            assert made.driver.alive(), "the driver ended with %s" % made.driver.process.returncode
            for what in ("reads", "writes", "hang-ups", "scan"):
                assert churn.counts.get(what, 0) >= 3, churn.counts
        with t.case("and ends well", ASKED):
            made.stop()


main()
