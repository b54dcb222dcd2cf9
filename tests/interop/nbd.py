"""Disks as sockets that speak NBD: chosen where there is no FUSE or where Exporter says so, and used by the programs that people have
for it.  Whatever a client does, what the target holds is what was acknowledged, and a client is a user of the disk."""
import filecmp
import json
import os
import pwd
import random
import shutil
import signal
import stat
import struct
import threading

import box
import field
import nbdclient
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import FLUSHES, UNMAP, WRITE_SAME_16, WRITES, Unit, check
from initiator import Initiator, Refused, have_fuse
from nbdclient import Client, Ended, uri
from tgt import Tgt

MIB = 1 << 20
USER = "nobody"
BUSY = 8


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise tap.Skip("%s is not installed" % program)


def sockets(made):
    """cXtYdZ -> its socket, as the tree has it."""
    return {os.path.basename(d["nbd"]): d["nbd"] for d in made.tree("disk") if "nbd" in d}


def socket_of(made, suffix, lun):
    return proc.wait_for("the socket of LUN %d" % lun, lambda: made.disk(suffix, lun).get("nbd"), limit=10)


def pattern(name, size, seed=1):
    path = os.path.join(box.directory(), name)
    with open(path, "wb") as f:
        f.write(random.Random(seed).randbytes(size))
    return path


def hide_fuse():
    """A /dev as a container has it, without /dev/fuse; in the test's own mount namespace only."""
    nodes = {name: os.stat("/dev/" + name) for name in ("null", "zero", "full", "random", "urandom", "tty")}
    proc.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/dev")
    for name, st in nodes.items():
        os.mknod("/dev/" + name, stat.S_IFCHR | 0o666, st.st_rdev)
        os.chmod("/dev/" + name, 0o666)
    os.symlink("/proc/self/fd", "/dev/fd")
    os.makedirs("/dev/shm", mode=0o1777)


# -- choosing ----------------------------------------------------------------------------------------------------------------------


def without_ublk(t):
    if os.path.exists("/dev/ublk-control"):
        return  # tests/boot/ublk uses it
    with FieldTarget([Unit(0, "one")]) as target, Initiator("without") as made:
        t.show_on_failure(made)
        with t.case("without ublk in the kernel a disk that is to be a ublk device is not shown, and it is said what to do"):
            made.command("iscsiutil", "-t", "Exporter", "ublk")
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            told = " ".join(made.command("ioscan", "-H", "255", ok=None).err.split())
            assert "disks cannot be ublk devices: there is no /dev/ublk-control" in told, told
            assert "load the kernel module ublk_drv" in told, told
            assert not os.listdir(os.path.join(made.root, "dev", "dsk"))
            told = " ".join(made.command("insf", "-H", "255", ok=None).err.split())
            assert "is left out: disks cannot be ublk devices: there is no /dev/ublk-control" in told, told


def chosen(t):
    with FieldTarget([Unit(0, "one"), Unit(1, "two", block_bytes=4096)]) as target, Initiator("chosen") as made:
        t.show_on_failure(made)
        with t.case("Exporter takes one of its words, shows what counts, and default takes it away"):
            refused = made.command("iscsiutil", "-t", "Exporter", "usb", ok=None)
            assert refused.code == 2 and "auto, fuse, nbd or ublk" in refused.err, refused
            made.command("iscsiutil", "-t", "exporter", "NBD")
            assert made.request("initiator.get")["choices"]["Exporter"] == {"value": "nbd", "from": "global"}
            made.command("iscsiutil", "-t", "Exporter", "default")
            assert made.request("initiator.get")["choices"]["Exporter"] == {"value": "auto", "from": "default"}
        with t.case("where Exporter says so disks are sockets, and insf says why"):
            made.command("iscsiutil", "-t", "Exporter", "nbd")
            made.discover(target)
            told = made.command("insf", "-v", "-H", "255")
            assert "speak NBD: Exporter says so" in told.err, told
            shown = sockets(made)
            assert len(shown) == 2, made.tree("disk")
            for name, path in shown.items():
                assert "making " + path in told.out and os.path.basename(path) == name, (told, shown)
                st = os.stat(path)
                assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o600, oct(st.st_mode)
                if box.isolated() and shutil.which("nbdinfo"):
                    assert proc.run("nbdinfo", uri(path), user=USER, ok=None).code != 0
            assert not os.listdir(made.path("dev", "dsk")) and not os.listdir(made.path("dev", "rdsk"))
        with t.case("listings and displays name the socket"):
            listed = made.command("ioscan", "-kfn").out
            overview = made.command("iscsiutil", "-o").out
            nodes = [n for n in json.loads(made.command("ioscan", "-k", "--json").out)["nodes"] if n["class"] == "disk"]
            for name, path in shown.items():
                assert path in listed, listed
                assert any(name in line and " NBD " in line for line in overview.splitlines()), overview
            assert [(n["exporter"], n["nbd"]) for n in nodes] == [("nbd", shown[os.path.basename(n["nbd"])]) for n in nodes], nodes
            assert made.request("driver.status")["disks"]["exporter"] == ("fuse" if have_fuse() else "nbd")
        with t.case("a second insf makes nothing, and says nothing that is not so"):
            again = made.command("insf", "-H", "255")
            assert not again.out and "no such device" not in again.err, again
        with t.case("rmsf takes the name away, and insf makes it again"):
            name, path = sorted(shown.items())[0]
            made.command("rmsf", name)
            assert not os.path.lexists(path) and sorted(sockets(made)) == sorted(shown)[1:]
            made.command("insf", "-H", "255")
            with Client(path) as c:
                assert c.read(0, 512) == bytes(512)
        with t.case("a target's own Exporter counts before the others'"):
            if not have_fuse():
                raise tap.Skip("no /dev/fuse here")
            made.command("iscsiutil", "-t", "Exporter", "fuse", "-T", target.name)
            for s in made.request("session.list")["sessions"]:
                made.request("session.logout", instance=s["instance"])
            made.request("scan")
            node = made.disk("field", 0)
            assert node["exporter"] == "fuse" and "nbd" not in node and os.path.exists(node["rdsk"]), node
            assert not os.listdir(made.path("dev", "nbd"))


# -- real programs -----------------------------------------------------------------------------------------------------------------


def tools(t):
    size = 32 * MIB
    with Tgt() as tgt, Initiator("tools") as made:
        t.show_on_failure(made)
        tid = tgt.target("nbd")
        backing = tgt.lun(tid, 1, size=size)
        made.command("iscsiutil", "-t", "Exporter", "nbd")
        made.discover(tgt)
        made.command("insf", "-H", "255")
        where = uri(socket_of(made, "nbd", 1))
        source, out = pattern("source", size), os.path.join(box.directory(), "out")
        with t.case("nbdinfo finds what the disk is"):
            need("nbdinfo")
            info = json.loads(proc.run("nbdinfo", "--json", where).out)
            one = info["exports"][0]
            assert info["protocol"] == "newstyle-fixed" and info["structured"], info
            limits = {name.rsplit("_", 1)[-1]: n for name, n in one.items() if name.startswith("block_")}
            assert one["export-size"] == size and (limits["minimum"], limits["maximum"]) == (1, 4 * MIB), one
            assert not one["is_read_only"] and one["can_flush"] and one["can_fua"] and one["can_multi_conn"] and one["can_zero"], one
            assert json.loads(proc.run("nbdinfo", "--json", "--list", where).out)["exports"][0]["export-name"] == os.path.basename(where)
        with t.case("nbdcopy writes a disk, with several connections, and reads it again"):
            need("nbdcopy")
            proc.run("nbdcopy", "--flush", source, where, limit=60)
            assert filecmp.cmp(source, backing, shallow=False)
            proc.run("nbdcopy", "--connections=8", where, out, limit=60)
            assert filecmp.cmp(source, out, shallow=False)
        with t.case("qemu-img finds, maps, compares and converts it"):
            need("qemu-img")
            assert json.loads(proc.run("qemu-img", "info", "--output=json", "-f", "raw", where).out)["virtual-size"] == size
            assert sum(m["length"] for m in json.loads(proc.run("qemu-img", "map", "--output=json", "-f", "raw", where).out)) == size
            proc.run("qemu-img", "compare", "-f", "raw", "-F", "raw", source, where, limit=60)
            image = os.path.join(box.directory(), "image.qcow2")
            proc.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", where, image, limit=60)
            with open(backing, "r+b") as f:
                f.write(bytes(size))
            proc.run("qemu-img", "convert", "-n", "-f", "qcow2", "-O", "raw", image, where, limit=60)
            assert filecmp.cmp(source, backing, shallow=False)
        with t.case("nbdfuse shows it as a file"):
            need("nbdfuse")
            if not have_fuse():
                raise tap.Skip("no /dev/fuse here")
            point = os.path.join(box.directory(), "point")
            os.mkdir(point)
            with proc.Daemon("nbdfuse", point, where, log=os.path.join(box.directory(), "nbdfuse.log")):
                file = os.path.join(point, "nbd")
                proc.wait_for("nbdfuse to show the disk", lambda: os.path.exists(file))
                with open(file, "rb") as f, open(source, "rb") as g:
                    assert f.read(MIB) == g.read(MIB)
                with open(file, "r+b", buffering=0) as f:
                    f.seek(MIB - 3)
                    assert f.write(b"seven..") == 7  # parts of two blocks
                with open(backing, "rb") as f:
                    f.seek(MIB - 3)
                    assert f.read(7) == b"seven.."
                proc.run("fusermount3", "-u", point)
        with t.case("kill -9 of clients in their work leaves a disk that works, and no user of it"):
            need("nbdcopy")
            for i in range(8):
                d = proc.Daemon("nbdcopy", "--connections=4", source, where, log=os.path.join(box.directory(), "killed.log")).start()
                proc.wait_for("the copy to begin", lambda: not d.alive() or made.disk("nbd", 1)["in_use"], every=0.001)
                d.kill(signal.SIGKILL)
            proc.wait_for("the disk to be free", lambda: not made.disk("nbd", 1)["in_use"], limit=10)
            proc.run("nbdcopy", "--flush", source, where, limit=60)
            assert filecmp.cmp(source, backing, shallow=False)


# -- what reaches the target -------------------------------------------------------------------------------------------------------


def commands(t):
    thin, locked = Unit(0, "thin", is_thin=True), Unit(1, "locked")
    thin.has_write_cache = locked.is_write_protected = True
    with FieldTarget([thin, locked]) as target, Initiator("commands") as made:
        t.show_on_failure(made)
        made.command("iscsiutil", "-t", "Exporter", "nbd")
        made.discover(target)
        made.command("insf", "-H", "255")
        path = socket_of(made, "field", 0)
        with t.case("qemu-io's FUA, flush, discard and zeros are the unit's"):
            need("qemu-io")

            def told(words, opcodes):
                before = len(target.commands(opcodes, 0))
                proc.run("qemu-io", "-f", "raw", "-c", words, uri(path))
                return target.commands(opcodes, 0)[before:]
            fua = told("write -f -P 0x55 0 4096", WRITES + FLUSHES)
            assert any(c.opcode in WRITES and c.cdb[1] & 8 for c in fua) or any(c.opcode in FLUSHES for c in fua), fua
            assert told("flush", FLUSHES)
            assert told("discard 65536 65536", (UNMAP, WRITE_SAME_16))
            assert told("write -z 0 65536", (WRITE_SAME_16,) + WRITES)
            with Client(path) as c:
                assert c.read(0, 4096) == bytes(4096)
        with t.case("an answer is the target's: nothing is done before it, and its error is told"):
            with Client(path) as c:
                target.on_command = lambda command: check(4, 0x44) if command.opcode in WRITES + FLUSHES else None
                assert c.write(0, b"x" * 512) != 0 and c.ask(nbdclient.FLUSH) != 0
                target.on_command = lambda _: None
                assert c.write(0, b"y" * 512, nbdclient.FUA) == 0 and c.ask(nbdclient.FLUSH) == 0
                assert thin.disk.read(0, 512) == b"y" * 512
        with t.case("parts of blocks, and nothing beyond the end"):
            with Client(path) as c:
                assert c.write(4095, b"abc") == 0 and thin.disk.read(4095, 3) == b"abc"
                assert c.read(4090, 10) == thin.disk.read(4090, 10)
                assert c.write(c.size - 1, b"no") == nbdclient.ENOSPC
                assert c.ask(nbdclient.READ, c.size, 1) == nbdclient.EINVAL
        with t.case("a write protected unit is read only"):
            with Client(socket_of(made, "field", 1)) as c:
                assert c.flags & 2 and c.write(0, bytes(512)) == nbdclient.EPERM
        with t.case("a unit that grew is larger for whoever comes now"):
            with Client(path) as old:
                size, thin.blocks = old.size, thin.blocks * 2
                made.request("scan")
                proc.wait_for("the disk to grow", lambda: made.disk("field", 0)["size_bytes"] == 2 * size)
                with Client(path) as new:
                    assert (old.size, new.size) == (size, 2 * size)


class Writer(threading.Thread):
    """A client of its own that writes its own blocks again and again, two at a time; .kept is what was acknowledged last."""

    BLOCKS, BLOCK = 8, 2048

    def __init__(self, path, disk, number, over):
        super().__init__(daemon=True)
        self.path, self.base, self.over = path, number * self.BLOCKS * self.BLOCK, over
        self.kept, self.begun = [{disk.read(self.at(i), self.BLOCK)} for i in range(self.BLOCKS)], 0
        self.random, self.error, self.cut = random.Random(number), None, 0
        self.start()

    def at(self, block):
        return self.base + block * self.BLOCK

    def work(self, c):
        while not self.over.is_set():
            sent = []
            for block in self.random.sample(range(self.BLOCKS), 2):
                self.begun += 1
                data = (b"%d/%d " % (self.base, self.begun) * self.BLOCK)[:self.BLOCK]
                self.kept[block].add(data)
                sent.append((c.send(nbdclient.WRITE, self.at(block), self.BLOCK, self.random.choice((0, nbdclient.FUA)), data), block, data))
            answers = {}
            for _ in sent:
                magic, error, cookie = struct.unpack(">IIQ", c.receive(16))
                answers[cookie] = error
            for cookie, block, data in sent:
                assert answers[cookie] == 0, answers
                self.kept[block] = {data}
            block = self.random.randrange(self.BLOCKS)
            assert c.read(self.at(block), self.BLOCK) in self.kept[block], "block %d is another one" % block

    def run(self):
        while not self.over.is_set() and not self.error:
            try:
                with Client(self.path) as c:
                    self.work(c)
            except (Ended, OSError):
                self.cut += 1
                field.pause(0.05)
            except Exception as e:  # told at the end of the case
                self.error = e

    def check(self, disk):
        self.join(30)
        assert not self.is_alive() and self.error is None, self.error
        for block, kept in enumerate(self.kept):
            assert disk.read(self.at(block), self.BLOCK) in kept, "what was acknowledged is not there"


def trouble(t):
    with FieldTarget() as target, Initiator("trouble") as made:
        t.show_on_failure(made)
        for key, value in (("Exporter", "nbd"), ("ReplacementTimeout", "60")):
            made.command("iscsiutil", "-t", key, value)
        made.discover(target)
        made.command("insf", "-H", "255")
        path = socket_of(made, "field", 0)

        def written(*troubles):
            over = threading.Event()
            writers = [Writer(path, target.unit(0).disk, i, over) for i in range(4)]
            for make in troubles:
                before = [w.begun for w in writers]
                make()
                proc.wait_for("the writers to go on", lambda: all(w.begun > b + 20 for w, b in zip(writers, before)), limit=40)
            over.set()
            for w in writers:
                w.check(target.unit(0).disk)
            return sum(w.cut for w in writers)

        with t.case("no acknowledged write is lost while connections to the target break"):
            assert written(*[lambda: target.hang_up(is_reset=True)] * 6, lambda: (target.stop(), field.pause(1), target.again())) == 0
        with t.case("no acknowledged write is lost when the driver is killed"):
            def kill():
                made.driver.kill(signal.SIGKILL)
                made.restart_driver()
            assert written(kill, kill, kill) >= 3


# -- clients are users -------------------------------------------------------------------------------------------------------------


def users(t):
    with FieldTarget() as target, Initiator("users", held=have_fuse()) as made:
        t.show_on_failure(made)
        made.command("iscsiutil", "-t", "Exporter", "nbd")
        made.discover(target)
        made.command("insf", "-H", "255")
        node = made.disk("field", 0)
        name, instance = os.path.basename(node["nbd"]), node["session_instance"]
        with t.case("while a client is there nothing takes its disk away, and the client is named"):
            with Client(node["nbd"]) as c:
                me = "process %d (" % os.getpid()
                for words in (("rmsf", name), ("iscsiutil", "-d", "-S", instance), ("iscsi_driverd", "--stop")):
                    refused = made.command(*words, ok=None)
                    assert refused.code == BUSY and me in refused.err, refused
                    assert c.read(0, 512) == bytes(512)
                assert made.disk("field", 0)["in_use"]
                try:
                    made.request("session.logout", instance=instance)
                    raise AssertionError("a session whose disk is in use was logged out")
                except Refused as e:
                    assert e.error["in_use"] == ["%s (process %d)" % (name, os.getpid())], e.error
        me = "process %d (" % os.getpid()
        with t.case("a disk that is a socket and in use is not handed over, and that is said"):
            with Client(node["nbd"]) as c:
                refused = made.command("iscsi_driverd", "--hand-over", ok=None)
                assert refused.code == BUSY and "sockets (NBD) end with their driver" in refused.err and me in refused.err, refused
                assert c.read(0, 512) == bytes(512)
            over = made.command("iscsi_driverd", "--hand-over", ok=None)
            assert over.code == 0 or "sockets" not in over.err, over
            if over.code == 0:
                proc.wait_for("the driver to end", lambda: not made.driver.alive())
                made.restart_driver()
                made.request("scan")
                with Client(socket_of(made, "field", 0)) as c:
                    assert c.read(0, 512) == bytes(512)
        with t.case("by force its clients are cut off, and others are served"):
            with Client(node["nbd"]) as c:
                made.request("session.logout", instance=instance, force=True)
                try:
                    c.read(0, 512)
                    raise AssertionError("a client is served by a session that is closed")
                except Ended:
                    pass
            made.request("scan")
            with Client(socket_of(made, "field", 0)) as c:
                assert c.read(0, 512) == bytes(512)
        with t.case("after kill -9 of the driver the next one listens at the same path"):
            with Client(node["nbd"]) as c:
                assert c.write(0, b"kept" * 128) == 0
                made.driver.kill(signal.SIGKILL)
                made.restart_driver()
                made.request("scan")
                assert socket_of(made, "field", 0) == node["nbd"]
                try:
                    c.read(0, 512)
                    raise AssertionError("a dead driver answers")
                except Ended:
                    pass
            with Client(node["nbd"]) as c:
                assert c.read(0, 512) == b"kept" * 128
        with t.case("I/O waits for a session that comes back"):
            with Client(node["nbd"]) as c:
                target.stop()
                cookie = c.send(nbdclient.WRITE, 0, 512, nbdclient.FUA, b"late" * 128)
                field.pause(0.5)
                target.again()
                assert c.answer(cookie)[0] == 0 and target.unit(0).disk.read(0, 512) == b"late" * 128
        with t.case("where all that is known is away, insf does not say that nothing is known"):
            target.stop()
            made.driver.kill(signal.SIGKILL)
            made.restart_driver()
            assert sum(n["class"] == "disk" for n in made.tree()) == 1
            told = made.command("insf", "-H", "255")
            assert "no device that is known is there now" in told.err and "no such device" not in told.err, told


def held(t):
    with FieldTarget() as target, Initiator("held", held=True) as made:
        t.show_on_failure(made)
        with t.case("an open file goes on with the next driver, whatever Exporter says by then"):
            made.discover(target)
            made.command("insf", "-H", "255")
            if made.command("iscsi_driverd", "--hand-over", ok=None).code:
                raise tap.Skip("nothing outlives a driver on this kernel")
            proc.wait_for("the driver to end", lambda: not made.driver.alive())
            made.restart_driver()
            made.request("scan")
            fd = os.open(field.path(made), os.O_RDWR)
            os.pwrite(fd, b"held" * 1024, 0)
            made.command("iscsiutil", "-t", "Exporter", "nbd")
            made.driver.kill(signal.SIGKILL)
            made.restart_driver()
            assert os.pread(fd, 4096, 0) == b"held" * 1024
            made.request("scan")
            assert made.disk("field", 0)["exporter"] == "fuse" and not sockets(made)
            os.close(fd)


# -- where there is no /dev/fuse ---------------------------------------------------------------------------------------------------


def without_fuse(t):
    size = 8 * MIB
    if not box.isolated():
        raise tap.Skip("a /dev without fuse needs a mount namespace of our own")
    hide_fuse()
    for user in (USER, None):
        who = "an ordinary user" if user else "root"
        with Tgt("tgt-%s" % user) as tgt, Initiator("bare-%s" % user, user=user) as made:
            t.show_on_failure(made)
            backing = tgt.lun(tgt.target("bare"), 1, size=size)
            with t.case("without /dev/fuse %s has disks, and is told which and why" % who):
                made.command("ioscan", ok=None)
                made.discover(tgt)
                told = made.command("insf", "-H", "255")
                assert "speak NBD: there is no /dev/fuse" in told.err, told
                path = socket_of(made, "bare", 1)
                assert made.request("driver.status")["disks"]["exporter_why"] == "there is no /dev/fuse"
            with t.case("without /dev/fuse %s copies in and out" % who):
                need("nbdcopy")
                source, out = pattern("bare", size, seed=7), os.path.join(made.root, "out")
                os.chmod(source, 0o644)
                proc.run("nbdcopy", "--flush", source, uri(path), user=user, limit=60)
                assert filecmp.cmp(source, backing, shallow=False)
                proc.run("nbdcopy", uri(path), out, user=user, limit=60)
                assert filecmp.cmp(source, out, shallow=False)
            if user:
                with t.case("where only fuse is allowed, insf says what is missing"):
                    made.command("iscsiutil", "-t", "Exporter", "fuse")
                    for s in made.request("session.list")["sessions"]:
                        made.request("session.logout", instance=s["instance"])
                    scanned = made.command("ioscan", ok=None)
                    assert "/dev/fuse" in scanned.err, scanned
                    told = made.command("insf", "-H", "255", ok=None)
                    assert "no such device is known" not in told.err, told


class Confined(Initiator):
    """One whose user is root of a user namespace, without a single capability."""

    PREFIX = ["setpriv", "--reuid", USER, "--regid", "nogroup", "--clear-groups", "unshare", "--user", "--map-root-user",
              "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]

    def __init__(self, name):
        super().__init__(name)
        shutil.chown(self.dir, USER)
        for d in self.all():
            d.argv = self.PREFIX + d.argv

    def command(self, name, *words, **how):
        return proc.run(*self.PREFIX, self.program(name), *words, env=self.env, **how)


def in_a_namespace(t):
    if not box.isolated() or proc.run(*Confined.PREFIX, "true", ok=None).code:
        raise tap.Skip("user namespaces are needed")
    with Tgt("tgt-userns") as tgt, Confined("userns") as made:
        t.show_on_failure(made)
        backing = tgt.lun(tgt.target("userns"), 1, size=8 * MIB)
        with t.case("as root of a user namespace, without capabilities, disks can be used"):
            need("nbdcopy")
            made.command("iscsiutil", "-a", "-I", tgt.host, "-P", tgt.port)
            made.command("ioscan")
            told = made.command("insf", "-H", "255")
            assert "speak NBD: " in told.err, told
            where, source = uri(socket_of(made, "userns", 1)), pattern("userns-in", 8 * MIB, seed=9)
            os.chmod(source, 0o644)
            proc.run(*Confined.PREFIX, "nbdcopy", "--flush", source, where, limit=60)
            assert filecmp.cmp(source, backing, shallow=False)
            proc.run(*Confined.PREFIX, "nbdcopy", where, os.path.join(made.root, "out"), limit=60)
            assert filecmp.cmp(source, os.path.join(made.root, "out"), shallow=False)


# -- a container -------------------------------------------------------------------------------------------------------------------

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IN_CONTAINER = """
set -e
mkdir /tmp/root
iscsi_driverd
iswd
iscsiutil -a -I %s -P %d
ioscan >/dev/null
insf -H 255
test ! -e /dev/fuse
nbdcopy --flush /data/in 'nbd+unix:///?socket=/tmp/root/dev/nbd/c0t0d1'
nbdcopy 'nbd+unix:///?socket=/tmp/root/dev/nbd/c0t0d1' /data/out
iscsi_driverd --stop
iswd --stop
"""


def container_of(script, build, data):
    """An OCI configuration: root of a user namespace, no capability, no device, nothing to write but /tmp and /data."""
    def mount(where, kind, source, *options):
        return {"destination": where, "type": kind, "source": source, "options": list(options)}
    user = pwd.getpwnam(USER)
    nothing = {name: [] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")}
    return {
        "ociVersion": "1.0.0", "hostname": "crun", "root": {"path": "rootfs", "readonly": True},
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/tmp", "args": ["/bin/sh", "-c", script],
            "env": ["PATH=%s/tree/bin:/usr/sbin:/usr/bin" % build, "OPENISW_ROOT=/tmp/root", "ASAN_OPTIONS=detect_leaks=0"],
            "capabilities": nothing, "noNewPrivileges": True},
        "mounts": [
            mount("/proc", "proc", "proc"), mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
            mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"), mount("/usr", "bind", "/usr", "rbind", "ro"),
            mount("/etc", "bind", "/etc", "rbind", "ro"), mount(build, "bind", build, "rbind", "ro"),
            mount(TOP, "bind", TOP, "rbind", "ro"),
            mount("/data", "bind", data, "rbind", "rw")],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "uidMappings": [{"containerID": 0, "hostID": user.pw_uid, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": user.pw_gid, "size": 1}],
            "namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "user", "mount")]}}


def in_a_container(t):
    if not box.isolated() or not shutil.which("crun") or not shutil.which("nbdcopy"):
        raise tap.Skip("crun and nbdcopy are needed, and namespaces")
    bundle = os.path.join(box.directory(), "bundle")
    data = os.path.join(bundle, "data")
    for name in ("usr", "etc", "proc", "dev", "tmp", "data"):
        os.makedirs(os.path.join(bundle, "rootfs", name))
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink("usr/" + name, os.path.join(bundle, "rootfs", name))
    # Where the program and its sources are mounted: nobody in there could make these.
    for path in (TOP, os.environ["OPENISW_BUILD"]):
        os.makedirs(os.path.join(bundle, "rootfs", path.lstrip("/")), exist_ok=True)
    os.mkdir(data)
    shutil.chown(data, USER)
    shutil.copy(pattern("contained", 8 * MIB, seed=11), os.path.join(data, "in"))
    os.chmod(os.path.join(data, "in"), 0o644)
    proc.run("umount", "-R", "/sys/fs/cgroup", ok=None)
    proc.run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    with Tgt("tgt-crun") as tgt:
        t.show_on_failure(tgt)
        backing = tgt.lun(tgt.target("crun"), 1, size=8 * MIB)
        with t.case("in a container without capabilities and devices an image is copied to a disk and back"):
            with open(os.path.join(bundle, "config.json"), "w") as f:
                json.dump(container_of(IN_CONTAINER % (tgt.host, tgt.port), os.environ["OPENISW_BUILD"], data), f)
            ran = proc.run("crun", "--root", os.path.join(box.directory(), "crun"), "--cgroup-manager=disabled", "run", "--bundle",
                           bundle, "oisw", limit=50)
            assert "speak NBD: there is no /dev/fuse" in ran.err, ran
            assert filecmp.cmp(os.path.join(data, "in"), backing, shallow=False)
            assert filecmp.cmp(os.path.join(data, "in"), os.path.join(data, "out"), shallow=False)


def main():
    with tap.script() as t:
        chosen(t)
        without_ublk(t)
        tools(t)
        commands(t)
        trouble(t)
        users(t)
        if have_fuse():
            held(t)
        in_a_namespace(t)
        in_a_container(t)
        without_fuse(t)


main()
