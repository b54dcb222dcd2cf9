"""The end that cannot be refused, without systemd: what is mounted from the disks is unmounted before the driver goes, its users
are ended first, and what was acknowledged until then is on the target."""
import os
import signal
import subprocess
import sys
import time

import box
import proc
import tap
from initiator import Initiator, have_loop
from tgt import Tgt

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MIB = 1 << 20
# Appends records that it never syncs, notes outside how many were taken; asked to end, it writes a last one.
WRITER = r"""
import os, signal, sys
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
note = open(sys.argv[2], "w")
with open(sys.argv[1], "ab", buffering=0) as f:
    n = 0
    while not stop:
        n += f.write(b"record %08d\n" % n)
        note.seek(0); note.write("%d\n" % n); note.flush()
    f.write(b"the last one\n")
note.write("ended\n"); note.flush()
"""
IGNORANT = r"""
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
f = open(sys.argv[1], "w"); f.write("stubborn"); f.flush()
open(sys.argv[2], "w").close()
signal.pause()
"""


class Mounted:
    """A file system on a disk, and how it is looked at when the initiator is gone: by the target's own file."""

    def __init__(self, initiator, tgt_file, lun):
        self.file, self.point = tgt_file, os.path.join(box.directory(), "mnt%d" % lun)
        self.device = initiator.path("dev", "dsk", "c0t0d%d" % lun)
        proc.run("mkfs.ext4", "-q", self.device, limit=60)
        os.makedirs(self.point, exist_ok=True)
        self.mount()

    def mount(self):
        proc.run("mount", self.device, self.point)

    def is_mounted(self):
        with open("/proc/self/mountinfo") as f:
            return any(line.split()[4] == self.point for line in f)

    def read(self, name):
        """fsck has nothing to say, and not a journal to replay; then a file of it."""
        state = proc.run("dumpe2fs", "-h", self.file).out
        assert "needs_recovery" not in state and "state:         clean" in state, state
        proc.run("fsck.ext4", "-fn", self.file, limit=60)
        return subprocess.run(["debugfs", "-R", "cat /" + name, self.file], capture_output=True, check=True).stdout


def script(name, text, *words):
    ready = os.path.join(box.directory(), name + ".ready")
    p = subprocess.Popen([sys.executable, "-c", text, *words, ready], stdin=subprocess.DEVNULL, preexec_fn=box.die_with_parent)
    proc.wait_for(name + " to begin", lambda: os.path.exists(ready) and (text is IGNORANT or os.path.getsize(ready) > 1))
    return p, ready


def records(data, ready):
    """All that the writer was told was written, and its last record."""
    with open(ready) as f:
        taken, end = f.read().split()
    assert end == "ended", end
    assert len(data) == int(taken) + len(b"the last one\n") and data.endswith(b"\nthe last one\n"), (len(data), taken)
    assert all(data[i:i + 16] == b"record %08d\n" % i for i in range(0, int(taken), 16)), "other records"


def unmount(initiator, *words, limit=60):
    return initiator.command("iscsi_driverd", "--unmount", *words, limit=limit, ok=None)


def in_order(t, initiator, a, b):
    with t.case("users are asked to end, everything is unmounted, in every mount namespace; then the driver may stop"):
        writer, ready = script("writer", WRITER, os.path.join(a.point, "log"))
        stubborn, _ = script("stubborn", IGNORANT, os.path.join(b.point, "held"))
        stands = subprocess.Popen(["sleep", "1000"], cwd=a.point)
        apart = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "1000"])
        proc.wait_for("a namespace of its own", lambda: os.readlink("/proc/%d/ns/mnt" % apart.pid) != os.readlink("/proc/self/ns/mnt"))
        os.mkdir(os.path.join(b.point, "in ner"))
        proc.run("mount", "-t", "tmpfs", "tmpfs", os.path.join(b.point, "in ner"))
        done = unmount(initiator)
        assert done.code == 0, done
        assert "was asked to end" in done.err and "process %d (sleep)" % stands.pid in done.err, done
        assert "process %d (python3)" % stubborn.pid in done.err and stubborn.wait(5) == -signal.SIGKILL, done
        assert writer.wait(5) == 0 and stands.wait(5) == -signal.SIGTERM, done
        assert apart.poll() is None, "it had nothing open"
        assert not a.is_mounted() and not b.is_mounted()
        with open("/proc/%d/mountinfo" % apart.pid) as f:
            assert a.point not in f.read()
        apart.kill()
        apart.wait()
        assert initiator.command("iscsi_driverd", "--stop", limit=60).code == 0
        initiator.driver.process.wait(10)
        records(a.read("log"), ready)
        assert b.read("held") == b"stubborn"
    initiator.restart_driver()
    initiator.request("scan")
    with t.case("where no driver runs nothing is touched: another one may be about to go on with what is mounted"):
        a.mount()
        initiator.driver.kill(signal.SIGKILL)
        assert unmount(initiator).code == 0 and a.is_mounted()
        proc.run("umount", "-l", a.point)
    initiator.restart_driver()
    initiator.request("scan")


def in_the_way(t, initiator, a):
    with t.case("another user's driver is not his business, nor are his own processes ended"):
        mine = subprocess.Popen(["setpriv", "--reuid", "nobody", "--clear-groups", "sleep", "1000"])
        done = proc.run(initiator.program("iscsi_driverd"), "--unmount", env=initiator.env, user="nobody", ok=None)
        assert done.code == 5 and mine.poll() is None, done
        mine.kill()
        mine.wait()
    with t.case("who ends by himself within the grace is not asked"):
        a.mount()
        p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=a.point)
        waits = subprocess.Popen([initiator.program("iscsi_driverd"), "--unmount", "--grace", "60"], env=initiator.env, stderr=subprocess.PIPE, text=True)
        line = waits.stderr.readline()
        assert "waiting for process %d (cat)" % p.pid in line, line
        p.stdin.close()
        rest = waits.stderr.read()
        assert waits.wait(10) == 0 and p.wait(5) == 0 and not a.is_mounted() and "asked" not in rest, rest
    with t.case("what was made of a disk is said, and it is no file system that is unmounted"):
        on_top = proc.run("losetup", "-f", "--show", initiator.disk("bye", 1)["block"]).out.strip()
        try:
            done = unmount(initiator)
            assert done.code == 8 and "device %s stands on it" % os.path.basename(on_top) in done.err, done
            proc.run("mount", on_top, a.point)
            done = unmount(initiator)
            assert done.code == 8 and not a.is_mounted(), done
        finally:
            proc.run("losetup", "-d", on_top)
    with t.case("a process that has only the disk's file open is its user, too"):
        f = subprocess.Popen(["tail", "-f", initiator.disk("bye", 2)["file"]], stdout=subprocess.DEVNULL)
        proc.wait_for("it to be open", lambda: any(d["in_use"] for d in initiator.tree("disk")))
        done = unmount(initiator)
        assert done.code == 0 and f.wait(5) == -signal.SIGTERM, done


def dead_target(t, initiator, tgt, a):
    with t.case("a target that is gone holds nobody longer than the limit, and it is said what is lost", limit=90):
        a.mount()
        with open(os.path.join(a.point, "lost"), "wb") as f:
            f.write(b"x" * MIB)
        tgt.stop()
        begin = time.monotonic()
        done = unmount(initiator, "--within", "3")
        assert done.code == 8 and time.monotonic() - begin < 15, done
        assert "c0t0d1 is in use: it does not take what was written to %s, and that is lost" % a.point in done.err, done
    with t.case("SIGTERM hurries it", limit=90):
        waits = subprocess.Popen([initiator.program("iscsi_driverd"), "--unmount"], env=initiator.env, stderr=subprocess.PIPE, text=True)
        proc.wait_for("it to wait for signals", lambda: signals_blocked(waits.pid))
        begin = time.monotonic()
        waits.terminate()
        said = waits.stderr.read()
        assert waits.wait(20) == 8 and time.monotonic() - begin < 15, said
        assert "in a hurry" in said and "is lost" in said, said


def signals_blocked(pid):
    with open("/proc/%d/status" % pid) as f:
        mask = next(int(line.split()[1], 16) for line in f if line.startswith("SigBlk:"))
    return mask >> (signal.SIGTERM - 1) & 1


def supervised(t, initiator, a):
    log = os.path.join(box.directory(), "supervise.log")
    env = dict(initiator.env, OPENISW_BIN=os.path.dirname(initiator.program("iscsi_driverd")))
    supervisor = proc.Daemon(os.path.join(TOP, "dist", "iscsi"), "supervise", log=log, env=env)

    def up():
        with open(log) as f:
            return "scanned for devices" in f.read()
    t.show_on_failure(supervisor)
    with t.case("iscsi supervise, asked to end while data is written: what was acknowledged is there", limit=120):
        supervisor.start()
        proc.wait_for("the supervised", up, 60)
        a.mount()
        with open(os.path.join(a.point, "log"), "wb"):
            pass
        writer, ready = script("writer2", WRITER, os.path.join(a.point, "log"))
        proc.wait_for("some records", lambda: os.path.getsize(os.path.join(a.point, "log")) > 100000)
        supervisor.kill(signal.SIGTERM, limit=60)
        assert supervisor.process.returncode == 0 and writer.wait(5) == 0, supervisor.tail()
        records(a.read("log"), ready)
        assert not any("lost" in line for line in supervisor.tail()), supervisor.tail()


def main():
    with tap.script() as t:
        if not box.isolated() or not have_loop():
            raise tap.Skip("root, namespaces and loop devices are needed")
        with Tgt() as tgt, Initiator() as initiator:
            tid = tgt.target("bye")
            files = [tgt.lun(tid, lun, size=64 * MIB) for lun in (1, 2)]
            initiator.discover(tgt)
            initiator.command("insf", "-H", "255")
            a, b = (Mounted(initiator, files[i], i + 1) for i in range(2))
            in_order(t, initiator, a, b)
            in_the_way(t, initiator, a)
            initiator.stop()
            supervised(t, initiator, a)
            initiator.start()
            initiator.request("scan")
            dead_target(t, initiator, tgt, a)
            initiator.stop()


main()
