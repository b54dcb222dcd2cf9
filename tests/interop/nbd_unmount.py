"""Before a shutdown clients of disks that are sockets are ended as other users are, and what was acknowledged to them is written out;
whoever has made a block device of the kernel's of one is named and left alone."""
import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import threading

import box
import field
import proc
import tap
from fieldtgt import FieldTarget, Later
from fieldunit import FLUSHES, WRITES, Unit
from initiator import Initiator, have_fuse

BUSY = 8
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
# A client that writes a block, and another one when it is asked to end; `how`: it ends then, or does not care; it makes a device
# of its socket, and as nbd-client(8) the process that connected ends ("forked").
CLIENT = r"""
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from nbdclient import WRITE, Client
c, how = Client(sys.argv[2]), sys.argv[3]
def write(offset, text):
    assert c.answer(c.send(WRITE, offset, 512, data=text * 512))[0] == 0
def asked(*_):
    if how == "deaf":
        return
    write(512, b"2")
    os._exit(0)
signal.signal(signal.SIGTERM, asked)
if how == "forked" and os.fork():
    sys.exit()
if how in ("device", "forked"):
    os.open("/dev/nbd99", os.O_RDONLY | os.O_CREAT)
write(0, b"1")
print("ready", os.getpid(), flush=True)
while True:
    signal.pause()
"""


class Other:
    """Such a client, in a process of its own."""

    def __init__(self, path, how):
        self.p = subprocess.Popen([sys.executable, "-c", CLIENT, HERE, path, how], stdout=subprocess.PIPE, text=True,
                                  preexec_fn=box.die_with_parent)
        said = self.p.stdout.readline().split()
        assert said[:1] == ["ready"], said
        self.pid = int(said[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()


def bytes_of(target, offset):
    return target.units[0].disk.read(offset, 512)


def main():
    with tap.script() as t:
        if os.geteuid() != 0:
            raise tap.Skip("only root sees what others have open")
        with FieldTarget([Unit(0)]) as target, Initiator("end", held=have_fuse()) as made:
            t.show_on_failure(made)
            done = []

            def note(command):
                if command.opcode in WRITES + FLUSHES:
                    done.append("flush" if command.opcode in FLUSHES else "write")
            target.on_command = note
            made.command("iscsiutil", "-t", "Exporter", "nbd")
            made.discover(target)
            made.command("insf", "-H", "255")
            path = made.disk("field", 0)["nbd"]

            def unmount(code, *words):
                return made.command("iscsi_driverd", "--unmount", *words, ok=(code,), limit=60).err
            with t.case("a client is asked to end, and does what it has to; all that was acknowledged is written out before the disk is free"):
                with Other(path, "good") as other:
                    said = unmount(0)
                    assert "process %d (python3), which uses c0t0d0, was asked to end" % other.p.pid in said, said
                    assert other.p.wait(10) == 0
                assert bytes_of(target, 0) == b"1" * 512 and bytes_of(target, 512) == b"2" * 512
                proc.wait_for("the disk to be free", lambda: not made.disk("field", 0)["in_use"])
                assert done == ["write", "write", "flush"], done
            with t.case("one that does not listen is killed, and what was acknowledged to it is written out, too"):
                del done[:]
                with Other(path, "deaf") as other:
                    assert "was killed" in unmount(0)
                    assert other.p.wait(10) == -signal.SIGKILL
                proc.wait_for("the disk to be free", lambda: not made.disk("field", 0)["in_use"])
                assert done == ["write", "flush"], done
            with t.case("what a client left to be written is waited for, however long a target takes that"):
                asked, may_flush = len(target.commands(FLUSHES)), threading.Event()
                target.on_command = lambda command: Later(may_flush) if command.opcode in FLUSHES else None
                with Other(path, "deaf") as other, concurrent.futures.ThreadPoolExecutor() as pool:
                    try:
                        unmounting = pool.submit(unmount, 0)
                        assert other.p.wait(30) == -signal.SIGKILL
                        proc.wait_for("the target to be asked to write it out", lambda: target.commands(FLUSHES)[asked:])
                        assert concurrent.futures.wait([unmounting], 2).not_done
                    finally:
                        may_flush.set()
                    unmounting.result()
                target.on_command = note
            with t.case("a target that does not take it keeps nobody longer than the limit, and what is lost is named"):
                proc.wait_for("the disk to be free", lambda: not made.disk("field", 0)["in_use"])
                may_flush = threading.Event()
                target.on_command = lambda command: Later(may_flush) if command.opcode in FLUSHES else None
                try:
                    with Other(path, "good"):
                        assert "c0t0d0 (process" in unmount(BUSY, "--within", "8").splitlines()[-1]
                finally:
                    may_flush.set()
                    target.on_command = note
                proc.wait_for("the disk to be free", lambda: not made.disk("field", 0)["in_use"])
            with t.case("whoever makes a block device of it is named and goes on: what is mounted from that would be lost"):
                try:
                    with Other(path, "device") as other:
                        said = unmount(BUSY, "--within", "3")
                        assert "c0t0d0" in said and "process %d (python3)" % other.p.pid in said and "ended" not in said, said
                        assert other.p.poll() is None
                finally:
                    if os.path.exists("/dev/nbd99"):
                        os.unlink("/dev/nbd99")
            with t.case("also where the process that connected has ended: that is told at once, and not waited for"):
                proc.wait_for("the disk to be free", lambda: not made.disk("field", 0)["in_use"])
                try:
                    with Other(path, "forked") as other:
                        assert other.p.wait(10) == 0
                        assert "c0t0d0" in unmount(BUSY, "--within", "200")
                        os.kill(other.pid, 0)
                finally:
                    if os.path.exists("/dev/nbd99"):
                        os.unlink("/dev/nbd99")
            with t.case("nobody else is taken for a client: not whoever is connected to another initiator's disk of the same name"):
                proc.wait_for("the disk to be free", lambda: not made.disk("field", 0)["in_use"])
                with Initiator("elsewhere", held=have_fuse()) as neighbour:
                    neighbour.command("iscsiutil", "-t", "Exporter", "nbd")
                    neighbour.command("iscsiutil", "-i", "-N", "iqn.2001-04.com.example:neighbour")
                    neighbour.discover(target)
                    neighbour.command("insf", "-H", "255")
                    with Other(neighbour.disk("field", 0)["nbd"], "good") as other:
                        assert unmount(0) == ""
                        assert other.p.poll() is None


main()
