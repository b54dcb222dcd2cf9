"""Filters in front of disks (iscsiutil -t Filters): what is slow, fails, cannot be written or is counted by order, shown by FUSE and by NBD."""
import errno
import json
import os
import re
import threading
import time

import box
import nbdclient
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import WRITES, Unit
from initiator import Initiator, have_fuse, have_loop
from nbdclient import Client

BLOCK = 4096
DELAY = 0.3


class File:
    """A disk that FUSE shows."""
    refused = (errno.EROFS,)

    def __init__(self, made, lun, can_write=True):
        path = proc.wait_for("the file", lambda: made.disk("field", lun).get("rdsk"))
        self.fd = os.open(path, os.O_RDWR if can_write else os.O_RDONLY)

    def read(self, offset):
        return self.result(lambda: os.pread(self.fd, BLOCK, offset))

    def write(self, offset):
        return self.result(lambda: os.pwrite(self.fd, bytes(BLOCK), offset))

    @staticmethod
    def result(call):
        try:
            call()
        except OSError as e:
            return e.errno
        return 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)


class Socket:
    """One that NBD shows."""
    refused = (nbdclient.EPERM,)

    def __init__(self, made, lun, can_write=True):
        self.c = Client(proc.wait_for("the socket", lambda: made.disk("field", lun).get("nbd")))
        assert can_write or self.c.flags & 2, "it does not say that it is read-only"

    def read(self, offset):
        return self.c.answer(self.c.send(nbdclient.READ, offset, BLOCK), BLOCK)[0]

    def write(self, offset):
        return self.c.write(offset, bytes(BLOCK))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.c.close()


def filters_of(made, lun):
    for s in made.request("stats.get", sessions=True)["sessions"]:
        for unit in s.get("luns", []):
            if unit["lun"] == lun:
                return unit["filters"]
    raise AssertionError("there is no LUN %d" % lun)


def configured(made, *values, target=None):
    return made.command("iscsiutil", "-t", "Filters", *values, *(("-T", target.name) if target else ()))


def is_set(made, lun, *texts):
    """A worker has it when it says so."""
    proc.wait_for("the filters to be %s" % (texts,), lambda: tuple(f["filter"] for f in filters_of(made, lun)) == texts, limit=10)


def settings(t, made, target):
    with t.case("Filters takes filters, shows them at each level, and default takes them away"):
        for bad, says in (("slow", "there is no filter"), ("delay=5", "is no parameter of delay"), ("error=EINTR", "is no parameter of error"),
                          ("delay", "needs a time")):
            refused = made.command("iscsiutil", "-t", "Filters", bad, ok=None)
            assert refused.code == 2 and says in " ".join(refused.err.split()), refused
        configured(made, "stats")
        configured(made, "delay=1ms", "error=9-9", target=target)
        assert made.request("initiator.get")["filters"] == "stats"
        shown = made.request("target.list")["targets"][0]
        assert shown["filters"] == "delay=1ms,error=9-9" and shown["configured"]["Filters"] == "delay=1ms,error=9-9", shown
        assert re.search(r"Filters +: delay=1ms,error=9-9", made.command("iscsiutil", "-p", "-K", "-O", ok=None).out or
                         made.command("iscsiutil", "-p", "-O").out), made.command("iscsiutil", "-p", "-O").out
        is_set(made, 0, "delay=1ms", "error=9-9:EIO")
        configured(made, "none", target=target)
        is_set(made, 0)
        configured(made, "default", target=target)
        is_set(made, 0, "stats")
    with t.case("they are part of what is configured, and no session has to log in for them"):
        operations = made.request("config.get")["operations"]
        assert {"op": "keys.set", "args": {"key": "Filters", "values": "stats"}} in operations, operations
        before = target.logins
        exported = os.path.join(box.directory(), "exported")
        with open(exported, "w", encoding="utf-8") as f:
            f.write(made.command("iscsiutil", "--export").out)
        configured(made, "default")
        is_set(made, 0)
        made.command("iscsiutil", "--apply", exported)
        is_set(made, 0, "stats")
        out = configured(made, "stats,stats").out
        assert not made.request("session.renew", outdated=True)["sessions"] and target.logins == before and "login" not in out, out
        configured(made, "default")
        is_set(made, 0)
    with t.case("only who may configure anything else may set them"):
        if not box.isolated() and os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        os.chmod(made.root, 0o755)
        out = proc.run(made.program("iscsiutil"), "-t", "Filters", "stats", env=made.env, user="nobody", ok=None)
        assert out.code not in (0, 2), out


def disks(t, made, target, kind):
    what = kind.__name__.lower()
    with t.case(what + ": a write fails as it is told to, does not reach the target, and goes again at once without its filter"):
        with kind(made, 0) as d:
            before = len(target.commands(WRITES))
            assert d.write(0) == 0 and len(target.commands(WRITES)) == before + 1
            configured(made, "error=write:ENOSPC")
            is_set(made, 0, "error=write:ENOSPC")
            assert d.write(0) == errno.ENOSPC and d.read(0) == 0 and len(target.commands(WRITES)) == before + 1
            configured(made, "error=8-15")
            is_set(made, 0, "error=8-15:EIO")
            assert d.read(0) == 0 and d.read(8 * 512) == errno.EIO and d.read(16 * 512) == 0
            configured(made, "default")
            is_set(made, 0)
            assert d.write(0) == 0 and d.read(8 * 512) == 0
    with t.case(what + ": of every three reads the third fails"):
        with kind(made, 0) as d:
            configured(made, "error=read:1/3")
            is_set(made, 0, "error=read:1/3:EIO")
            assert [d.read(0) for _ in range(7)] == [0, 0, errno.EIO, 0, 0, errno.EIO, 0]
    with t.case(what + ": a delay is what it takes longer, and stats before and behind it say so"):
        with kind(made, 0) as d:
            configured(made, "stats", "delay=read:%dms" % (DELAY * 1000), "stats")
            is_set(made, 0, "stats", "delay=read:300ms", "stats")
            began = time.monotonic()
            assert d.write(0) == 0 and d.read(0) == 0
            assert time.monotonic() - began >= DELAY
            before, delay, behind = filters_of(made, 0)
            assert before["kinds"]["read"]["count"] == behind["kinds"]["read"]["count"] == delay["requests"] == 1, (before, delay, behind)
            # The clocks of a histogram's steps: one turn of the loop each.
            assert before["kinds"]["read"]["max_us"] >= DELAY * 1e6 > behind["kinds"]["read"]["max_us"], (before, behind)
            assert before["kinds"]["write"]["bytes"] == BLOCK and before["requests"] >= 2, before
            text = made.command("iscsiutil", "-s", "-S").out
            assert re.search(r"delay=read:300ms +all +1\b", text) and re.search(r"^ +read +1 +4096 +0 ", text, re.M), text
            made.request("stats.clear", sessions=True)
            assert [f["requests"] for f in filters_of(made, 0)] == [0, 0, 0]
    with t.case(what + ": what waits for its delay goes on when the filter is taken away"):
        with kind(made, 0) as d:
            configured(made, "delay=600s")
            is_set(made, 0, "delay=600s")
            got = []
            reader = threading.Thread(target=lambda: got.append(d.read(0)))
            reader.start()
            proc.wait_for("the read to wait", lambda: filters_of(made, 0)[0]["requests"] >= 1)
            assert reader.is_alive()
            configured(made, "default")
            reader.join(20)
            assert got == [0], got
    with t.case(what + ": a disk that is readonly refuses what is written to it, at once, and says what it is"):
        with kind(made, 0) as d:
            before = len(target.commands(WRITES))
            configured(made, "lun=0", "readonly")
            is_set(made, 0, "readonly")
            is_set(made, 1)
            proc.wait_for("the tree to say so", lambda: [made.disk("field", lun)["read_only"] for lun in (0, 1)] == [True, False])
            assert d.write(0) in kind.refused and d.read(0) == 0 and len(target.commands(WRITES)) == before
        with kind(made, 0, can_write=False) as d:
            assert d.read(0) == 0
        with kind(made, 1) as d:
            assert d.write(0) == 0
    with t.case(what + ": the next driver's disks have the same filters"):
        made.driver.kill()
        made.restart_driver()
        proc.wait_for("the disk", lambda: [d for d in made.tree("disk") if d["lun"] == 0 and d.get("rdsk") or d.get("nbd")], limit=30)
        made.request("scan")
        is_set(made, 0, "readonly")
        with kind(made, 0, can_write=False) as d:
            assert d.read(0) == 0
    with t.case(what + ": a session that ends ends what waits for its delay"):
        configured(made, "delay=600s")
        is_set(made, 0, "delay=600s")
        with kind(made, 0) as d:
            got = []

            def read():
                try:
                    got.append(d.read(0))
                except nbdclient.Ended:
                    got.append("ended")
            reader = threading.Thread(target=read)
            reader.start()
            proc.wait_for("the read to wait", lambda: filters_of(made, 0)[0]["requests"] >= 1)
            session = made.request("session.list")["sessions"][0]["instance"]
            made.request("session.logout", instance=session, force=True)
            reader.join(20)
            assert got and got[0] != 0, got
        configured(made, "default")
        made.request("scan")


def block(t, made):
    """The kernel's own block device."""
    with t.case("a loop device of a disk that is readonly is read-only, too"):
        if not have_loop():
            raise tap.Skip("no loop devices here")
        configured(made, "readonly")
        is_set(made, 0, "readonly")
        made.command("rmsf", made.disk("field", 0)["dsk"])
        made.command("insf", "-H", "255")
        node = proc.wait_for("the block device", lambda: made.disk("field", 0).get("block"))
        with open("/sys/block/%s/ro" % os.path.basename(node)) as ro:
            proc.wait_for("the block device to be read-only", lambda: ro.seek(0) == 0 and ro.read().strip() == "1")
            configured(made, "default")
            proc.wait_for("it to be writable again", lambda: ro.seek(0) == 0 and ro.read().strip() == "0")
            configured(made, "readonly")
            proc.wait_for("it to be read-only while it is there", lambda: ro.seek(0) == 0 and ro.read().strip() == "1")
        configured(made, "default")
        is_set(made, 0)


def main():
    with tap.script() as t:
        for exporter, kind in (("fuse", File), ("nbd", Socket)):
            if exporter == "fuse" and not have_fuse():
                t.comment("no /dev/fuse here")
                continue
            with FieldTarget([Unit(0, "one"), Unit(1, "two")]) as target, Initiator(exporter) as made:
                t.show_on_failure(made)
                made.command("iscsiutil", "-t", "Exporter", exporter)
                made.discover(target)
                made.command("insf", "-H", "255")
                if kind is Socket:
                    settings(t, made, target)
                disks(t, made, target, kind)
                if kind is File:
                    block(t, made)


main()
