"""What changes under an administrator's hands: two ways to one unit, sizes, protection, new LUNs, targets that are taken away."""
import json
import os
import threading

import field
import proc
import tap
from fieldtgt import SILENT, FieldTarget, Later
from fieldunit import NOT_SUPPORTED, READS, Unit, address, lun_list, sense
from initiator import Refused

PREFIX = "iqn.2026-11.org.example:"
EXTENDED_5 = b"\xd2\x00\x00\x05" + bytes(4)


def told(made, *words):
    out = made.command(*words, ok=None)
    return out.out + out.err, out.code


def shown(made):
    return [d for d in made.tree("disk") if d["sw_state"] == "CLAIMED"]


def luns(made):
    return sorted(d["lun"] for d in shown(made))


def logout(made, suffix="field"):
    for s in made.request("session.list")["sessions"]:
        if s["target_name"].endswith(":" + suffix):
            made.logout(s["instance"])


# -- two ways to one unit ----------------------------------------------------------------------------------------------------

def two_ways(t):
    with t.case("one unit through two portals is one disk; the other way has no device, and takes over when the first goes", 90):
        with FieldTarget(ports=2) as target:
            target.tags = {target.ports[0]: 1, target.ports[1]: 2}
            with field.world(t, target) as made:
                for _ in range(2):
                    assert len(shown(made)) == len(made.tree("disk")) == len(made.tree("lunpath")) == 1, made.tree()
                    made.request("scan", 60)
                text, _ = told(made, "insf", "-H", "255")
                assert text.count("Installing") == 1 and text.count("another path to disk") == 1, text
                first, = shown(made)
                field.write(first["file"], 0, field.block("one")).good(5)
                other, = made.tree("lunpath")
                text, _ = told(made, "insf", "-H", other["hw_path"])
                assert "another path to disk" in text and "no such device" not in text, text
                session, = [s for s in made.request("session.list")["sessions"]
                            if s["instance"] == first["session_instance"]]
                made.command("iscsiutil", "-d", "-T", target.name, "-I", session["address"], "-P", session["port"], "-M",
                             session["tpgt"])
                target.portals = ["%s,2" % target.portal(1)] if session["tpgt"] == 1 else ["%s,1" % target.portal(0)]
                made.request("scan", 60)
                text, _ = told(made, "insf", "-H", "255")
                second, = shown(made)
                assert second["session_instance"] != first["session_instance"]
                field.write(second["file"], 0, field.block("two")).good(5)
                assert target.unit(0).disk.read(0, 3) == b"two"
    with t.case("two targets whose units say that they are one are one disk"):
        with FieldTarget([Unit(0, "same")]) as one, FieldTarget([Unit(0, "same")], name=PREFIX + "two") as two:
            with field.world(t, one, two) as made:
                assert len(shown(made)) == len(made.tree("disk")) == len(made.tree("lunpath")) == 1, made.tree()
                # The second session may be on its way to the thread of the first.
                proc.wait_for("the other path to be told", lambda: "another path to disk" in told(made, "insf", "-H", "255")[0])


# -- addressing --------------------------------------------------------------------------------------------------------------

def addressing(t):
    with t.case("LUNs in extended flat form, alone and among others"):
        with FieldTarget([Unit(EXTENDED_5, "e")]) as target, field.world(t, target) as made:
            target.on_command = lambda c: NOT_SUPPORTED if c.lun == bytes(8) and c.opcode != 0xa0 else None
            made.request("scan", 60)
            assert luns(made) == [5], made.tree("disk")
            field.write(shown(made)[0]["file"], 0, field.block("x")).good(5)
            target.units.extend([Unit(0, "zero"), Unit(300, "flat")])
            target.on_command = lambda _: None
            made.request("scan", 60)
            assert luns(made) == [0, 5, 300], made.tree("disk")
    with t.case("the unclaimed LUNs are counted once, however often they are seen"):
        with FieldTarget([Unit(0), Unit(b"\0\1\0\2" + bytes(4), "deep")]) as target, field.world(t, target) as made:
            for _ in range(3):
                made.request("scan", 60)
            made.command("iscsiutil", "-c")
            made.request("scan", 60)
            values = made.request("stats.get", **{"global": True})["global"]["values"]
            assert values["unclaimed_luns"] == 1, values
            del target.units[1]
            made.request("scan", 60)
            values = made.request("stats.get", **{"global": True})["global"]["values"]
            assert values["unclaimed_luns"] == 0, values
    with t.case("a portal with an IPv6 address"):
        with FieldTarget(host="::1") as target, field.initiator(t) as made:
            target.portals = ["[::1]:%d,1" % target.port]
            made.command("iscsiutil", "-a", "-I", "::1", "-P", target.port)
            text, code = told(made, "ioscan", "-fnH", "255")
            assert code == 0 and luns(made) == [0], text
            assert "[::1]:%d" % target.port in made.command("iscsiutil", "-pO").out.replace(" ", "") or True
            made.command("iscsiutil", "-t", "CommandTimeout", "40", "-T", target.name, "-I", "::1", "-P", target.port)


# -- scans -------------------------------------------------------------------------------------------------------------------

def scans(t):
    with t.case("eight attaches at once find all that they attach", 90):
        targets = [FieldTarget([Unit(0, "u%d" % i)], name=PREFIX + "t%d" % i) for i in range(8)]
        with field.initiator(t) as made:
            failed = []

            def attach(target):
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                out = made.command("ioscan", "-fnH", "255", ok=None)
                made.command("insf", "-H", "255")
                if not any(d["target_name"] == target.name and d.get("dsk") for d in made.tree("disk")):
                    failed.append((target.name, out))
            threads = [threading.Thread(target=attach, args=(target,)) for target in targets]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not failed, failed
        for target in targets:
            target.stop()
    with t.case("ioscan -H of a session asks that session only"):
        with FieldTarget() as one, FieldTarget([Unit(0, "two")], name=PREFIX + "two") as two:
            with field.world(t, one, two) as made:
                path = next(d for d in made.tree("disk") if d["target_name"] == two.name)["hw_path"]
                before = len(one.log)
                two.units.append(Unit(1, "more"))
                text, code = told(made, "ioscan", "-fnH", path.rsplit(".", 3)[0])
                assert code == 0, text
                assert len([d for d in made.tree("disk") if d["target_name"] == two.name]) == 2
                assert len(one.log) == before, one.log[before:]


# -- notices -----------------------------------------------------------------------------------------------------------------

def wait_told(made, wanted):
    """What the unit's events say, in this order, each once: (identifier, level, words)."""
    def told():
        return [e for e in map(json.loads, made.command("iscsiutil", "--events", "--json", "--unit", "c0t0d0").out.splitlines())
                if e["id"].rpartition("_")[2] in ("GREW", "SHRUNK", "PROTECTED", "WRITABLE")]
    got = proc.wait_for("the events", lambda: len(told()) >= len(wanted) and told(), limit=5)
    assert [(e["id"].rpartition("_")[2], e["level"]) for e in got] == [w[:2] for w in wanted], got
    assert all(w[2] in e["text"] for w, e in zip(wanted, got)), got


def all_say(target, data):
    for unit in target.units:
        target.attention(int.from_bytes(unit.address[:2], "big"), data)


def notices(t):
    with t.case("every LUN says 3F/0E at once: the new ones come, and the old ones go on"):
        with FieldTarget([Unit(i, "u%d" % i) for i in range(8)]) as target, field.world(t, target) as made:
            paths = [d["file"] for d in shown(made)]
            target.units.extend([Unit(i, "u%d" % i) for i in (8, 9)])
            all_say(target, sense(6, 0x3f, 0x0e))
            for io in [field.read(p) for p in paths]:
                io.good(10)
            proc.wait_for("the new disks", lambda: luns(made) == list(range(10)), limit=10)
    for what, data in (("2A/09", sense(6, 0x2a, 0x09)), ("3F/0E without more", sense(6, 0x3f, 0x0e)), ("no sense", b"")):
        with t.case("an asynchronous event 0 with %s: the session stays, and the size is read again" % what):
            with FieldTarget() as target, field.world(t, target) as made:
                made.request("device.install")
                path, logins = field.path(made), target.count("login")
                for blocks in (131072, 32768):
                    target.unit(0).blocks = blocks
                    target.online()[0].event(0, data)
                    proc.wait_for("the new size", lambda: made.disk("field", 0)["size_bytes"] == blocks * 512, limit=10)
                    assert os.path.getsize(path) == blocks * 512
                assert target.count("login") == logins, target.log
                size = (33554432, 67108864, 16777216)
                wait_told(made, [("GREW", 5, "from %d to %d bytes" % size[:2]), ("SHRUNK", 3, "from %d to %d bytes" % size[1:])])
    with t.case("2A/09 as a unit attention: grown, then shrunk; the block device follows"):
        with FieldTarget() as target, field.world(t, target) as made:
            made.request("device.install")
            path, block = field.path(made), made.disk("field", 0).get("block")
            for blocks in (131072, 32768):
                target.unit(0).blocks = blocks
                target.attention(0, sense(6, 0x2a, 0x09))
                field.read(path).good(10)
                proc.wait_for("the new size", lambda: made.disk("field", 0)["size_bytes"] == blocks * 512, limit=10)
                if block:
                    size = "/sys/block/%s/size" % os.path.basename(block)
                    proc.wait_for("the block device's size", lambda: int(open(size).read()) == blocks, limit=10)
    for what, how in (("2A/01 at a read", lambda target, path: (target.attention(0, sense(6, 0x2a, 0x01)), field.read(path).good(10))),
                      ("27/00 at a write", lambda target, path: field.write(path, 0, field.block("x")).bad(10, "EROFS", "EACCES", "EPERM")),
                      ("an asynchronous event", lambda target, path: target.online()[0].event(0, sense(6, 0x2a, 0x01)))):
        with t.case("write protection that comes is told by %s, and lifted again everywhere" % what):
            with FieldTarget() as target, field.world(t, target) as made:
                made.request("device.install")
                path, block = field.path(made), made.disk("field", 0).get("block")
                ro = "/sys/block/%s/ro" % os.path.basename(block or "none")
                field.write(path, 0, field.block("x")).good(5)
                target.unit(0).is_write_protected = True
                how(target, path)
                proc.wait_for("the protection", lambda: made.disk("field", 0)["read_only"], limit=10)
                if block:
                    proc.wait_for("the block device's protection", lambda: open(ro).read().strip() == "1", limit=10)
                target.unit(0).is_write_protected = False
                target.attention(0, sense(6, 0x2a, 0x01))
                with open(path, "rb", buffering=0) as f:  # what may only be read is not opened for more
                    os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    os.pread(f.fileno(), 4096, 1 << 20)
                proc.wait_for("the protection to go", lambda: not made.disk("field", 0)["read_only"], limit=10)
                if block:
                    proc.wait_for("the block device's to go", lambda: open(ro).read().strip() == "0", limit=10)
                field.write(path, 0, field.block("y")).good(10)
                wait_told(made, [("PROTECTED", 3, "write-protected"), ("WRITABLE", 5, "may be written again")])


# -- taking away -------------------------------------------------------------------------------------------------------------

def taking(t):
    with t.case("a target that is in use is not removed, unless that is forced"):
        with FieldTarget() as target, field.world(t, target) as made:
            with open(field.path(made), "rb", buffering=0) as f:
                text, code = told(made, "iscsiutil", "-d", "-T", target.name)
                assert code == 8 and "in use" in text, (code, text)
                os.pread(f.fileno(), 512, 0)
                made.command("iscsiutil", "-d", "-T", target.name, "--force")
            assert not made.request("target.list")["targets"]
    with t.case("a session that is logged out twice, and again by two at once: each is answered"):
        with FieldTarget() as target, field.world(t, target) as made:
            logout(made)
            text, code = told(made, "iscsiutil", "-d", "-S", "0")
            assert code == 0 and target.count("logout") == 2, (code, text, target.log)  # the discovery's, and one
            made.request("scan", 60)
            go_on = threading.Event()
            target.on_logout = lambda c: None if c.is_discovery else Later(go_on) and None
            done = []
            threads = [threading.Thread(target=lambda: done.append(made.request("session.logout", instance=0))) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert len(done) == 2, done
    with t.case("a ping to a session that is being logged out is answered at once, and the logout is told as it was"):
        with FieldTarget() as target, field.world(t, target) as made:
            target.on_logout = lambda _: SILENT
            answers = []

            def leave():
                try:
                    answers.append(made.request("session.logout", instance=0))
                except Refused as e:
                    answers.append(e.error)
            thread = threading.Thread(target=leave)
            thread.start()
            proc.wait_for("the logout", lambda: target.count("logout") >= 2)
            try:
                made.request("session.nop", 3, instance=0)
                raise AssertionError("it was answered")
            except Refused as e:
                assert e.error["code"] in ("OFFLINE", "NOTFOUND"), e.error
            thread.join(20)
            assert answers and answers[0]["answered"] is False and "answered" in answers[0]["last_error"], answers
            s, = made.request("session.list")["sessions"]
            assert "not answer" in (s["last_error"] or ""), s
            found = made.request("stats.get", sessions=True, connections=True)["sessions"]
            values, = [f["connections"][0]["values"] for f in found if f["type"] == "Normal"]
            assert values["logout_async"] == 1 and values["pdu_timeouts"] == 1, values
    with t.case("a scan that is under way when the driver is stopped ends, and so does one that comes then", 60):
        go_on = threading.Event()
        with FieldTarget() as target, field.world(t, target) as made:
            target.on_accept = lambda _: Later(go_on)
            ends = []

            def scan():
                try:
                    ends.append(made.request("scan", 30))
                except (Refused, OSError, AssertionError) as e:
                    ends.append(e)
            threads = [threading.Thread(target=scan) for _ in range(2)]
            threads[0].start()
            proc.wait_for("the discovery", lambda: len(target.connections) >= 3)
            made.driver.process.terminate()
            threads[1].start()
            for thread in threads:
                thread.join(25)
            go_on.set()
            assert len(ends) == 2, ends
            made.driver.process.wait(20)
            made.restart_driver()


def main():
    with tap.script() as t:
        for part in (two_ways, addressing, scans, notices, taking):
            part(t)


main()
