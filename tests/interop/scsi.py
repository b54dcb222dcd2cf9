"""SCSI commands that others write (iscsiutil --scsi), persistent reservations from two initiators, and qemu's helper protocol."""
import array
import contextlib
import json
import os
import shutil
import socket
import struct
import threading

import box
import field
import pattern
import prclient
import proc
import tap
from fieldtgt import DROP, FieldTarget, Later
from fieldunit import REPORT_LUNS, Answer, Unit, check
from initiator import Initiator, have_loop
from tgt import Tgt

# More than what is told of a path that comes back: each lets its keys be asked for.
FIRST = 8
OK, USAGE, DENIED, NOT_FOUND, BUSY, LATE, CHECK, CONFLICT, UNKNOWN = 0, 2, 5, 6, 8, 9, 12, 13, 14
KEY, OTHER = 0x1122334455667788, 0x99
MIB = 1 << 20
INQUIRY = "12 00 00 00 24 00"


def name_of(initiator, suffix="shared", lun=1):
    return os.path.basename(initiator.disk(suffix, lun)["file"])


def scsi(initiator, command, *words, unit=None, ok=(OK,), stdin=None):
    to = ("--unit", unit) if unit else ()
    return initiator.command("iscsiutil", "--scsi", command, *to, *words, ok=ok, stdin=stdin, limit=60)


def answered(initiator, command, *words, unit=None, ok=(OK,)):
    return json.loads(scsi(initiator, command, *words, "--json", unit=unit, ok=ok).out)


def events(initiator, name):
    return [e for e in initiator.command("iscsiutil", "--events", "--json").out.splitlines() if name in e]


def everything(t, tgt, backing, left):
    unit = name_of(left)
    hw_path = left.disk("shared", 1)["hw_path"]
    with t.case("a unit is named by its device, its files, its hardware path, or a session and a LUN"):
        session = left.disk("shared", 1)["session_instance"]
        told = [answered(left, "read-capacity", unit=u)["data"] for u in
                (unit, hw_path, "/dev/dsk/" + unit, left.path("dev", "rdsk", unit))]
        told.append(answered(left, "read-capacity", "-S", session, "--lun", 1)["data"])
        assert len(set(told)) == 1, told
        last, block = struct.unpack(">QI", bytes.fromhex(told[0])[:12])
        assert ((last + 1) * block, block) == (32 * MIB, 512), told
        assert answered(left, INQUIRY, "-S", session, "--lun", 0, "--in", 36)["data"][:2] == "0c", "the controller"
    with t.case("every word without arguments is answered"):
        for word in ("tur", "inquiry", "vpd 0x83", "vpd 0", "read-capacity", "report-luns", "pr-keys", "pr-reservation",
                     "pr-capabilities"):
            assert answered(left, word, unit=unit)["status"] == 0, word
    with t.case("data go out from a file and the standard input, and come back into a file, however many"):
        for blocks in (1, 32, 33, 2048):
            data, out = os.urandom(blocks * 512), os.path.join(box.directory(), "out")
            with open(out + ".in", "wb") as f:
                f.write(data)
            count = "%04x" % blocks
            scsi(left, "2a 00 00 00 10 00 00 " + count + " 00", "--data", out + ".in", unit=unit)
            scsi(left, "28 00 00 00 10 00 00 " + count + " 00", "--in", len(data), "--output", out, unit=unit)
            with open(out, "rb") as f:
                assert f.read() == data, blocks
            assert pattern.read_at(backing, 0x1000 * 512, len(data)) == data, blocks
        sent = proc.run("sh", "-c", 'head -c 512 /dev/zero | "$@"', "sh", left.program("iscsiutil"), "--scsi",
                        "2a 00 00 00 10 00 00 0001 00", "--data", "-", "--unit", unit, env=left.env)
        assert sent.code == 0 and pattern.read_at(backing, 0x1000 * 512, 512) == bytes(512), sent
    with t.case("what does not fit is told: residual, overflow"):
        assert answered(left, INQUIRY, "--in", 4096, unit=unit)["residual"] == 4096 - 36
        short = answered(left, "28 00 00 00 10 00 00 0002 00", "--in", 512, unit=unit)
        assert (short["overflow"], len(short["data"])) == (512, 1024), short
    with t.case("CHECK CONDITION is told in words, with its bytes, by an exit status of its own"):
        refused = scsi(left, "ff 00 00 00 00 00", unit=unit, ok=(CHECK,))
        assert "ILLEGAL REQUEST (5/20/00)" in refused.err and "sense 70" in refused.err, refused
        told = answered(left, "28 00 7f ff ff ff 00 00 01 00", "--in", 512, unit=unit, ok=(CHECK,))
        assert (told["sense"]["key"], told["sense"]["asc"]) == (5, 0x21), told


def wrong(t, left):
    unit = name_of(left)
    with t.case("wrong arguments are refused, and nothing is sent"):
        for command, *words in (("12", ), ("zz 00 00 00 00 00",), ("12 00 00 00 24 0",), (" ".join(["00"] * 17),), ("inquiry 1",),
                                ("vpd",), ("vpd x",), ("vpd 256",), ("pr-reserve 1 nothing",), ("pr-register",), ("",),
                                ("28 00 00 00 00 00",), ("12 00 00 00 24 00 01",), ("7f" + " 00" * 15,),
                                (INQUIRY, "--in", MIB + 1), (INQUIRY, "--timeout", 0), (INQUIRY, "--in", 4, "--data", os.devnull + "x"),
                                ("2a 00 00 00 00 00 00 00 01 00", "--in", 512, "--data", left.log)):
            scsi(left, command, *words, unit=unit, ok=(USAGE,))
        scsi(left, "2a 00 00 00 00 00 00 00 01 00", "--data", "/dev/zero", unit=unit, ok=(USAGE,))
        for there_is_none in ("c9t9d9", "255/0/0.0.0.9", "255/0/77.0.0.0"):
            scsi(left, INQUIRY, unit=there_is_none, ok=(NOT_FOUND,))
        scsi(left, INQUIRY, "-S", 77, "--lun", 0, ok=(NOT_FOUND,))
        scsi(left, INQUIRY, ok=(USAGE,))
    with t.case("hostile sizes of the control protocol are refused"):
        for args in ({"in": -1}, {"in": MIB + 1}, {"out": MIB + 1}, {"data": "0"}, {"data": "xx"}, {"data": "00" * 16385},
                     {"in": 1, "data": "00"}, {"out": 1, "data": "00"}, {"timeout_ms": -5}, {"timeout_ms": 1 << 40}):
            with contextlib.suppress(AssertionError):
                left.request("unit.scsi", name=unit, cdb="120000002400", **args)
                raise SystemExit("%s was taken" % args)
        assert answered(left, "tur", unit=unit)["status"] == 0
    with t.case("a client that promises data and goes away costs nothing"):
        for _ in range(40):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.connect(left.path("dev", "iscsi"))
                s.sendall(json.dumps({"id": 1, "op": "unit.scsi", "args": {
                    "name": unit, "cdb": "2a000000000000000100", "out": 512}}).encode() + b"\n")
                data, ancillary, _flags, _address = s.recvmsg(4096, socket.CMSG_SPACE(4))
                assert b"send" in data, data
                for _level, _kind, fds in ancillary:
                    os.close(array.array("i", fds)[0])
        assert answered(left, "tur", unit=unit)["status"] == 0
    with t.case("whoever is not root may not"):
        if os.geteuid() != 0 or proc.run("true", user="nobody", ok=None).code != 0:
            raise tap.Skip("only root can become another user")
        refused = proc.run(left.program("iscsiutil"), "--scsi", "tur", "--unit", unit, env=left.env, user="nobody", ok=None)
        assert refused.code == DENIED, refused


def in_use(t, left):
    with t.case("what would change a disk that is in use is refused, with its users; reading is not"):
        if not have_loop():
            raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
        unit, block = name_of(left), left.disk("shared", 1)["block"]
        with open(block, "rb"):
            for command in ("04 00 00 00 00 00", "42" + " 00" * 9, "c0 00 00 00 00 00", "15 10 00 00 00 00"):
                refused = scsi(left, command, unit=unit, ok=(BUSY,))
                assert unit in refused.err, refused
            assert answered(left, "tur", unit=unit)["status"] == 0
            assert answered(left, "28 00 00 00 00 00 00 00 01 00", "--in", 512, unit=unit)["status"] == 0
            scsi(left, "c0 00 00 00 00 00", "--force", unit=unit, ok=(CHECK,))
        scsi(left, "c0 00 00 00 00 00", unit=unit, ok=(CHECK,))


def reservations(t, left, right):
    unit, other = name_of(left), name_of(right)
    with t.case("one initiator reserves; the other hears who holds it, and its write fails"):
        scsi(left, "pr-register %#x" % KEY, unit=unit)
        scsi(left, "pr-reserve %#x write-exclusive" % KEY, unit=unit)
        assert "%#018x" % KEY in scsi(left, "pr-reservation", unit=unit).out
        scsi(right, "pr-register %#x" % OTHER, unit=other)
        refused = scsi(right, "pr-reserve %#x 1" % OTHER, unit=other, ok=(CONFLICT,))
        assert "%#018x" % KEY in refused.err and "Write Exclusive" in refused.err, refused
        told = answered(right, "2a 00 00 00 00 00 00 00 00 00", unit=other, ok=(CONFLICT,))
        assert told["conflict"]["key"] == "%#018x" % KEY and told["status"] == 0x18, told
        assert "%#018x" % KEY in events(right, "OPENISW_LOG_UNIT_RESERVED")[0]
    with t.case("what was preempted is told, and is never registered again by itself"):
        scsi(right, "pr-preempt %#x %#x write-exclusive" % (OTHER, KEY), unit=other)
        assert "%#018x" % KEY not in scsi(right, "pr-keys", unit=other).out
        left.request("session.renew", limit=60)
        proc.wait_for("the event", lambda: events(left, "OPENISW_LOG_KEY_TAKEN"))
        left.request("session.renew", limit=60)
        scsi(left, "tur", unit=unit, ok=(OK, CHECK))
        assert "%#018x" % KEY not in scsi(right, "pr-keys", unit=other).out
        assert len(events(left, "OPENISW_LOG_KEY_TAKEN")) == 1
        scsi(right, "pr-clear %#x" % OTHER, unit=other)
        assert " 0 keys" in scsi(right, "pr-keys", unit=other).out


def anew(tgt):
    """The target's power goes, and comes back."""
    tgt.stop()
    tgt.restart()
    tgt.lun(tgt.target("shared"), 1)


def lost_by_the_target(t, tgt, left, right):
    unit = name_of(left)
    with t.case("a relogin keeps a key that the target keeps; one that the target lost is registered again"):
        scsi(left, "pr-register-ignore %#x" % KEY, unit=unit)
        left.request("session.renew", limit=60)
        assert "%#018x" % KEY in scsi(left, "pr-keys", unit=unit).out
        assert not events(left, "OPENISW_LOG_KEY_AGAIN")
        scsi(right, "tur", unit=name_of(right), ok=(OK, CHECK))
        scsi(right, "pr-register-ignore %#x" % OTHER, unit=name_of(right))
        anew(tgt)
        for initiator, key in ((left, KEY), (right, OTHER)):
            proc.wait_for("both keys to be registered again", lambda: events(initiator, "OPENISW_LOG_KEY_AGAIN"))
            assert "%#018x" % key in scsi(left, "pr-keys", unit=unit).out
    with t.case("where another one reserved the unit after the loss, no key is registered again"):
        proc.run("kill", "-STOP", left.driver.pid)
        try:
            anew(tgt)
            proc.wait_for("the other's key", lambda: len(events(right, "OPENISW_LOG_KEY_AGAIN")) == 2)
            scsi(right, "pr-reserve %#x write-exclusive-registrants" % OTHER, unit=name_of(right))
        finally:
            proc.run("kill", "-CONT", left.driver.pid)
        proc.wait_for("the event", lambda: len(events(left, "OPENISW_LOG_KEY_TAKEN")) > 1)
        keys = scsi(left, "pr-keys", unit=unit).out
        assert "%#018x" % KEY not in keys and "generation 1," in keys, "not even for a moment: %s" % keys
        scsi(right, "pr-clear %#x" % OTHER, unit=name_of(right))


def special(t, left):
    """How the commands that the block layer has no use for pass; what tgt does not know is told so."""
    unit = name_of(left)
    with t.case("COMPARE AND WRITE compares, and writes only then"):
        path = os.path.join(box.directory(), "caw")
        was = bytes(pattern.read_at(left.disk("shared", 1)["file"], 0x2000 * 512, 512))
        caw = "89 00" + " 00" * 6 + " 20 00 00 00 00 01 00 00"
        for compare, write, ok in ((was, b"n" * 512, (OK, CHECK)), (was, b"m" * 512, (CHECK,))):
            with open(path, "wb") as f:
                f.write(compare + write)
            last = answered(left, caw, "--data", path, unit=unit, ok=ok)
            if ok == (OK, CHECK) and last["status"]:
                raise tap.Skip("this target does not know it: %s" % last["sense"]["text"])
        assert last["sense"]["key"] == 0xe, last
    with t.case("GET LBA STATUS tells what is mapped, or that the target does not know it"):
        told = answered(left, "9e 12" + " 00" * 8 + " 00 00 00 20 00 00", "--in", 32, unit=unit, ok=(OK, CHECK))
        assert told["status"] == 0 and len(told["data"]) >= 48 or told["sense"]["key"] == 5, told
    with t.case("EXTENDED COPY passes, or the target does not know it"):
        with open(path, "wb") as f:
            f.write(bytes(16))
        told = answered(left, "83" + " 00" * 9 + " 00 00 00 10 00 00", "--data", path, unit=unit, ok=(OK, CHECK))
        assert told["status"] == 0 or told["sense"]["key"] == 5, told


def two_paths(t):
    """A target with two portals: two sessions, one disk."""
    with Tgt("two", portals=("127.0.0.1", "::1")) as tgt, Initiator("two-paths") as initiator:
        t.show_on_failure(tgt)
        t.show_on_failure(initiator)
        tgt.lun(tgt.target("two"), 1)
        # tgt tells only of its portals of the address family that it is asked through.
        initiator.command("iscsiutil", "-a", "-I", "::1", "-P", tgt.portals[1][1])
        initiator.discover(tgt)
        nodes = [n for n in initiator.tree("disk") if n["lun"] == 1]
        unit = [os.path.basename(n["file"]) for n in nodes if n.get("file")]
        other = [n for n in initiator.tree("lunpath") if n["lun"] == 1]

        def keys():
            return [line for line in scsi(initiator, "pr-keys", unit=unit[0]).out.splitlines() if "%#018x" % KEY in line]
        with t.case("REGISTER goes to every path of the unit, RESERVE to one"):
            assert len(unit) == 1 and len(other) == 1, nodes
            told = answered(initiator, "pr-register %#x" % KEY, unit=unit[0])
            assert (told["other_paths"], told["other_paths_failed"], len(keys())) == (1, 0, 2), (told, keys())
            assert answered(initiator, "pr-reserve %#x 1" % KEY, unit=unit[0])["other_paths"] == 0
        with t.case("REGISTER goes to every path, whichever of them has the disk's requests now"):
            for session in (0, 1):
                scsi(initiator, "pr-register 0 %#x" % KEY, unit=unit[0])
                for told in (0, 1):
                    scsi(initiator, "tur", "-S", told, "--lun", 1, ok=(OK, CHECK))
                initiator.command("iscsiutil", "-m", "-S", session, "fail")
                told = answered(initiator, "pr-register %#x" % KEY, unit=unit[0])
                assert (told["other_paths"], told["other_paths_failed"], len(keys())) == (1, 0, 2), (told, keys())
                initiator.command("iscsiutil", "-m", "-S", session, "restore")
        with t.case("RELEASE goes to every path: whichever one the unit was reserved over, it is free"):
            for reserves, releases in ((0, 1), (1, 0)):
                for session, verb in ((releases, "fail"), (reserves, "restore")):
                    initiator.command("iscsiutil", "-m", "-S", session, verb)
                for told in (0, 1):
                    scsi(initiator, "tur", "-S", told, "--lun", 1, ok=(OK, CHECK))
                scsi(initiator, "pr-reserve %#x 1" % KEY, unit=unit[0])
                for session, verb in ((releases, "restore"), (reserves, "fail")):
                    initiator.command("iscsiutil", "-m", "-S", session, verb)
                scsi(initiator, "pr-release %#x 1" % KEY, unit=unit[0])
                left = scsi(initiator, "pr-reservation", unit=unit[0]).out
                assert "%#018x" % KEY not in left, left
                initiator.command("iscsiutil", "-m", "-S", reserves, "restore")
        with t.case("the other path is one of the same unit: what would change a disk in use is refused there, too"):
            if not have_loop():
                raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
            initiator.command("insf", "-H", "255")
            block, = [n["block"] for n in initiator.tree("disk") if n.get("block")]
            with open(block, "rb"):
                scsi(initiator, "c0 00 00 00 00 00", unit=other[0]["hw_path"], ok=(BUSY,))
        with t.case("a path that comes later has the key, too"):
            scsi(initiator, "pr-clear %#x" % KEY, unit=unit[0])
            initiator.logout(other[0]["session_instance"])
            scsi(initiator, "pr-register-ignore %#x" % KEY, unit=unit[0], ok=(OK, CHECK))
            scsi(initiator, "pr-register-ignore %#x" % KEY, unit=unit[0])
            assert len(keys()) == 1, keys()
            initiator.request("scan", limit=60)
            proc.wait_for("the key of the path that came", lambda: len(keys()) == 2)


def exchanged(t):
    """The other path of a disk shows no disk: who stands there is asked before each command."""
    with FieldTarget([Unit(0)], ports=2) as target, field.world(t, target) as made:
        with t.case("a LUN without a disk is asked who it is before it gets a command"):
            other, = made.tree("lunpath")
            sent = []
            target.on_command = lambda c: sent.append(c) if c.opcode == 0x3c else None
            read_buffer = "3c 00 00 00 00 00 00 00 00 00"
            scsi(made, read_buffer, unit=other["hw_path"], ok=(CHECK,))
            assert len(sent) == 1, sent
            target.units[0] = Unit(0, "another")
            refused = scsi(made, read_buffer, unit=other["hw_path"], ok=None)
            assert refused.code == 1 and "another unit" in refused.err and len(sent) == 1, (refused, sent)


def fates(t):
    """A target that answers as it is told."""
    with FieldTarget([Unit(0)]) as target, field.world(t, target) as made:
        unit = os.path.basename(made.disks()[0]["file"]) if hasattr(made, "disks") else "c0t0d0"
        sent = []
        with t.case("a command whose connection ends before the answer: its fate is unknown, and it is sent once"):
            def drop(command):
                if command.opcode != 0x5f:
                    return None
                sent.append(command)
                return DROP
            target.on_command = drop
            lost = scsi(made, "pr-register 0x1", unit=unit, ok=(UNKNOWN,))
            assert "may have been executed" in lost.err, lost
            target.on_command = lambda c: None
            assert answered(made, "tur", unit=unit, ok=(OK, CHECK))["fate"] == "answered"
            assert len(sent) == 1, sent
        with t.case("a path that comes back with something to tell first is looked at all the same"):
            asked = []

            def reserve(command):
                if command.opcode == 0x5f:
                    return Answer()
                if command.opcode != 0x5e:
                    return None
                asked.append(len(target.commands([REPORT_LUNS])))
                return check(6, 0x2a, 0x03) if len(asked) < FIRST else Answer(data=struct.pack(">IIQ", 1, 8, KEY))
            scsi(made, "tur", unit=unit, ok=(OK, CHECK))
            target.on_command = reserve
            asked[:] = [None] * FIRST
            scsi(made, "pr-register %#x" % KEY, unit=unit)
            asked.clear()
            target.hang_up()
            proc.wait_for("the keys to be read in the end", lambda: len(asked) >= FIRST)
            # Not only because the path was found by one scan after another.
            assert asked[-1] - asked[0] <= 1, asked
            target.on_command = lambda c: None
        with t.case("a unit that another one replaced gets no command"):
            logins = target.logins
            held = threading.Event()
            target.on_command = lambda c: Later(held) if c.opcode == 0x12 else None
            target.hang_up()
            proc.wait_for("another login", lambda: target.logins > logins)
            target.units[0] = Unit(0, "another")
            target.on_command = lambda c: sent.append(c) if c.opcode == 0xc1 else None
            held.set()
            refused = scsi(made, "c1 00 00 00 00 00", "--timeout", 20, unit=unit, ok=None)
            assert refused.code == 1 and "not the unit that it was" in refused.err, refused
            assert len(sent) == 1, sent
        with t.case("a target that does not answer: the time is over, and that is said"):
            target.units[0] = Unit(0)
            target.on_command = lambda c: Later(threading.Event()) if c.opcode == 0xc2 else None
            made.request("scan", limit=60)
            late = scsi(made, "c2 00 00 00 00 00", "--timeout", 1, unit=unit, ok=None)
            assert late.code in (UNKNOWN, LATE) and "may have been executed" in late.err, late
        with t.case("a driver that ends while it has the command: nobody knows"):
            held, seen = threading.Event(), threading.Event()

            def hold(command):
                if command.opcode != 0xc4:
                    return None
                seen.set()
                return Later(held)
            target.on_command = hold
            waiting = proc.subprocess.Popen([made.program("iscsiutil"), "--scsi", "c4 00 00 00 00 00", "--unit", unit], env=made.env,
                                            stderr=proc.subprocess.PIPE)
            assert seen.wait(20), "it was not sent"
            made.driver.kill()
            told = waiting.communicate(timeout=20)[1]
            assert waiting.returncode == UNKNOWN and b"not known" in told, (waiting.returncode, told)
            held.set()
            made.restart_driver()
            proc.wait_for("the unit", lambda: scsi(made, "tur", unit=unit, ok=None).code == OK)
        with t.case("a status is told as it is"):
            target.on_command = lambda c: Answer(8) if c.opcode == 0xc3 else None
            assert answered(made, "c3 00 00 00 00 00", unit=unit, ok=(CHECK,))["status_text"] == "BUSY"


@contextlib.contextmanager
def helper(t, initiator):
    log = os.path.join(box.directory(), "helper.log")
    daemon = proc.Daemon(initiator.program("iscsiutil"), "--pr-helper", log=log, env=initiator.env)
    t.show_on_failure(daemon)
    path = initiator.path("run", "openisw", "pr-helper.sock")
    with daemon:
        def listens():
            try:
                prclient.Client(path, greet=False).close()
            except OSError:
                return False
            return True
        proc.wait_for("the helper to listen", listens)
        yield path
    assert not os.path.exists(path), "its socket is left"


def hung_up(path, *parts, disk=None, greet=True):
    client = prclient.Client(path, disk, greet)
    if not greet:
        client.read(4)
    try:
        for part, *fds in parts:
            client.send(part, *fds)
        client.s.shutdown(socket.SHUT_WR)
        return client.s.recv(1) == b""
    except (prclient.HungUp, ConnectionResetError):
        return True
    finally:
        client.close()


def guests(t, path, left, right):
    node = left.disk("shared", 1)
    unit = name_of(left)
    disks = [node["file"]] + ([node["block"]] if node.get("block") else [])
    for disk in disks:
        with t.case("a guest on %s registers, reserves, is in another's way, releases and clears" % (
                "the file" if disk == node["file"] else "the block device")):
            fd = prclient.opened(disk)
            with prclient.Client(path, fd) as c:
                assert c.keys()[1] == []
                assert c.tell(prclient.REGISTER, 0, KEY)[0] == prclient.GOOD
                assert c.keys()[1] == [KEY]
                assert c.tell(prclient.RESERVE, KEY, kind=1)[0] == prclient.GOOD
                scsi(right, "tur", unit=name_of(right), ok=(OK, CHECK))  # that his key was cleared is told once
                scsi(right, "pr-register %#x" % OTHER, unit=name_of(right))
                scsi(right, "pr-reserve %#x 1" % OTHER, unit=name_of(right), ok=(CONFLICT,))
                assert c.tell(prclient.RESERVE, KEY, kind=3)[0] == prclient.CONFLICT
                status, _sense, data = c.ask(prclient.RESERVATION)
                assert status == 0 and data[8:16] == struct.pack(">Q", KEY), data
                assert c.tell(prclient.RELEASE, KEY, kind=1)[0] == prclient.GOOD
                assert c.tell(prclient.CLEAR, KEY)[0] == prclient.GOOD
                assert c.keys()[1] == []
                status, sense, _data = c.ask(0x1f)
                assert status == prclient.CHECK and sense[2] & 15 == 5, (status, sense.hex())
            os.close(fd)
    with t.case("what a descriptor may not, its holder may not; what is no disk of ours is none"):
        reading, nothing = prclient.opened(node["file"], os.O_RDONLY), os.open(node["file"], os.O_PATH)
        imitation = os.path.join(box.directory(), unit)
        with open(imitation, "wb") as f:
            f.write(bytes(512))
        for fd, is_in, asc in ((reading, False, 0x20), (nothing, True, 0x20), (prclient.opened(imitation), True, 0x25),
                               (os.open("/dev/null", os.O_RDWR), True, 0x25), (os.pipe()[0], True, 0x25)):
            with prclient.Client(path, fd) as c:
                status, sense, data = c.ask(0) if is_in else c.tell(prclient.REGISTER_IGNORE, 0, 5)
                assert (status, sense[2] & 15, sense[12], data) == (prclient.CHECK, 5, asc, b""), (fd, status, sense.hex())
            os.close(fd)
        assert " 0 keys" in scsi(left, "pr-keys", unit=unit).out
    with t.case("a mount of somebody's own at the same place is not taken for ours"):
        if os.geteuid() != 0 or not box.isolated():
            raise tap.Skip("it needs a mount namespace")
        place = os.path.dirname(node["file"])
        script = ("mount -t tmpfs none %s && : > %s && exec \"$@\"" % (place, node["file"]))
        code = ("import os,sys; sys.path.insert(0, %r); import prclient\n"
                "c = prclient.Client(%r, os.open(%r, os.O_RDWR)); print(c.ask(0)[:2])" % (
                    os.path.dirname(prclient.__file__), path, node["file"]))
        out = proc.run("unshare", "-m", "sh", "-euc", script, "sh", "python3", "-c", code).out
        assert out.startswith("(2, b'p\\x00\\x05"), out


def qemu(t, path):
    with t.case("qemu's own manager connects"):
        if not shutil.which("qemu-system-x86_64"):
            raise tap.Skip("no qemu here")
        words = ('{"execute": "qmp_capabilities"}', '{"execute": "query-pr-managers"}', '{"execute": "quit"}')
        out = proc.run("sh", "-c", 'printf "%s\n" "$0" "$1" "$2" | qemu-system-x86_64 -M none -nodefaults -display none -qmp stdio -object '
                       'pr-manager-helper,id=pr0,path="$3"', *words, path).out
        assert {"connected": True, "id": "pr0"} in [r for line in out.splitlines() for r in json.loads(line).get("return", ())], out
    with t.case("qemu passes no loop device through"):
        if not shutil.which("qemu-system-x86_64") or not have_loop():
            raise tap.Skip("no qemu or no loop devices here")
        image = os.path.join(box.directory(), "image")
        with open(image, "wb") as f:
            f.truncate(MIB)
        loop = proc.run("losetup", "-f", "--show", image).out.strip()
        try:
            out = proc.run("qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-blockdev",
                           "host_device,node-name=d,filename=" + loop, "-device", "virtio-scsi-pci", "-device", "scsi-block,drive=d",
                           ok=None, limit=20)
            assert out.code != 0 and "scsi" in out.err.lower(), "doc/clusters.md says that this cannot be: %s" % out
        finally:
            proc.run("losetup", "-d", loop)


def hostile(t, path, left):
    unit, node = name_of(left), left.disk("shared", 1)
    fd = prclient.opened(node["file"])
    cdb_in, cdb_out = struct.pack(">BB5xH7x", 0x5e, 0, 8192), struct.pack(">BB3xI7x", 0x5f, 6, 24)
    with t.case("whoever breaks the protocol is hung up on"):
        assert hung_up(path, (b"\0\0\0\1",), greet=False)
        assert hung_up(path, (cdb_in,)), "without a descriptor"
        assert hung_up(path, (struct.pack(">BB5xH7x", 0x5e, 0, 8193), fd))
        assert hung_up(path, (struct.pack(">BB3xI7x", 0x5f, 6, 1 << 31), fd))
        assert hung_up(path, (bytes([0x12]) + bytes(15), fd))
        assert hung_up(path, (cdb_out, fd), (b"short",))
        assert hung_up(path, (cdb_in[:7], fd))
        assert hung_up(path, (os.urandom(100000),), greet=False)
    with t.case("many descriptors at once, and some where none belong, are closed"):
        with prclient.Client(path, fd) as c:
            for _ in range(20):
                c.send(cdb_in, *[fd] * 50)
                assert c.answer()[0] == 0
                c.send(cdb_out, fd)
                c.send(struct.pack(">QQ8x", 0, KEY), *[fd] * 50)
                assert c.answer()[0] == 0
            assert c.keys()[1] == [KEY]
            assert c.tell(prclient.REGISTER, KEY, 0)[0] == 0
    with t.case("one user's clients keep nobody else out"):
        if os.geteuid() != 0 or proc.run("true", user="nobody", ok=None).code != 0:
            raise tap.Skip("only root can become another user")
        os.chmod(box.directory(), 0o755)
        code = ("import os,sys; sys.path.insert(0, %r); import prclient\n"
                "held = []\n"
                "try:\n    for i in range(200): held.append(prclient.Client(%r))\n"
                "except prclient.HungUp: pass\n"
                "print(len(held), flush=True); sys.stdin.read()" % (os.path.dirname(prclient.__file__), path))
        greedy = proc.subprocess.Popen(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "python3", "-c", code],
                                       stdin=proc.subprocess.PIPE, stdout=proc.subprocess.PIPE)
        assert greedy.stdout.readline() == b"32\n"
        with prclient.Client(path, fd) as c:
            assert c.keys()[1] == []
        greedy.communicate(b"", timeout=30)
        proc.wait_for("the places to be free again", lambda: proc.run(
            "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "python3", "-c",
            code.replace("range(200)", "range(1)"), ok=None).out == "1\n")
    with t.case("a client's process can ask for nothing but reservations, and has no rights"):
        with prclient.Client(path, fd) as c:
            assert c.keys()[1] == []
            own = [p for p in os.listdir("/proc") if p.isdigit() and is_child_of_helper(p)]
            assert own, "there is no process for this client"
            for pid in own:
                with open("/proc/%s/status" % pid, encoding="ascii") as f:
                    status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
                assert status["Seccomp"] == "2" and int(status["CapEff"], 16) == 0, status
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s, s.makefile("rb") as lines:
            s.connect(left.path("dev", "iscsi"))
            for number, op, args, good in ((1, "connection.narrow", {"op": "unit.reserve"}, True),
                                           (2, "unit.scsi", {"name": unit, "cdb": "000000000000"}, False),
                                           (3, "connection.narrow", {"op": "unit.scsi"}, False), (4, "driver.version", {}, False),
                                           (5, "unit.reserve", {"name": unit, "cdb": "120000002400", "in": 36}, False),
                                           (6, "unit.reserve", {"name": unit, "cdb": cdb_in.hex(), "in": 8192}, True)):
                s.sendall(json.dumps({"id": number, "op": op, "args": args}).encode() + b"\n")
                answer = json.loads(lines.readline())
                assert answer["ok"] == good, (op, answer)
    os.close(fd)


def is_child_of_helper(pid):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            line = f.read().split(b"\0")
        with open("/proc/%s/stat" % pid, encoding="ascii", errors="replace") as f:
            parent = f.read().rsplit(")", 1)[1].split()[1]
        with open("/proc/%s/cmdline" % parent, "rb") as f:
            return b"--pr-helper" in line and b"--pr-helper" in f.read()
    except OSError:
        return False


def main():
    with tap.script() as t:
        with Tgt() as tgt, Initiator("left") as left, Initiator("right") as right:
            for thing in (tgt, left, right):
                t.show_on_failure(thing)
            backing = tgt.lun(tgt.target("shared"), 1)
            for initiator, name in ((left, "left"), (right, "right")):
                initiator.command("iscsiutil", "-i", "-N", "iqn.2026-11.org.example:" + name)
                initiator.discover(tgt)
                initiator.command("insf", "-H", "255")
            everything(t, tgt, backing, left)
            wrong(t, left)
            in_use(t, left)
            special(t, left)
            reservations(t, left, right)
            with helper(t, left) as path:
                guests(t, path, left, right)
                qemu(t, path)
                hostile(t, path, left)
            lost_by_the_target(t, tgt, left, right)
        two_paths(t)
        exchanged(t)
        fates(t)


main()
