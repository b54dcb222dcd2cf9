"""Scans: what they find, whom they disturb, what they write."""
import hashlib
import os
import threading

import field
import proc
import tap
from fieldtgt import DROP, FieldTarget, Later
from fieldunit import (BUSY, DESIGNATORS, INQUIRY, LIMITS, PAGES, REPORT_LUNS, RESERVATION_CONFLICT, SERIAL, Answer,
                       Unit, check, sense)

PREFIX = "iqn.2026-11.org.example:"


def joins(t):
    with t.case("a scan that comes while one runs has asked what was added before it says done"):
        go_on = threading.Event()
        with FieldTarget([Unit(0, "slow")], name=PREFIX + "slow") as slow, FieldTarget([Unit(0, "new")], name=PREFIX + "new") as new:
            with field.initiator(t) as made:
                slow.on_accept = lambda _: Later(go_on)
                made.command("iscsiutil", "-a", "-I", slow.host, "-P", slow.port)
                first = threading.Thread(target=made.request, args=("scan", 60), daemon=True)
                first.start()
                proc.wait_for("the scan to reach the slow one", lambda: slow.connections)
                made.command("iscsiutil", "-a", "-I", new.host, "-P", new.port)
                second = threading.Thread(target=made.request, args=("scan", 60), daemon=True)
                second.start()
                field.pause(0.5)
                go_on.set()
                second.join(30)
                assert not second.is_alive(), "the second scan hangs"
                assert new.count("login"), "the new portal was not asked"
                first.join(30)
                assert len(made.tree("disk")) == 2


def while_in_use(t):
    """One question of a scan fails; the disk is open and healthy."""
    pages = {"INQUIRY": None, "00h": PAGES, "80h": SERIAL, "83h": DESIGNATORS, "B0h": LIMITS}
    answers = {"a CHECK CONDITION": check(4, 0x44), "BUSY": BUSY, "invalid field": check(5, 0x24), "no bytes": Answer()}
    with FieldTarget() as target, field.world(t, target, ReplacementTimeout=20) as made, \
            open(field.path(made), "r+b", buffering=0) as opened:
        for asked, page in pages.items():
            for what, answer in answers.items():
                with t.case("a scan's %s is answered with %s once: the disk in use stays" % (asked, what)):
                    left = [answer]

                    def hook(c, page=page, left=left):
                        vital = c.cdb[1] & 1
                        hit = c.opcode == INQUIRY and (vital and c.cdb[2] == page if page is not None else not vital)
                        return left.pop() if hit and left else None
                    target.on_command = hook
                    made.request("scan", 60)
                    target.on_command = lambda _: None
                    assert not left, "it was not asked"
                    os.pwrite(opened.fileno(), field.block(asked), 0)
                    field.write(field.path(made), 0, field.block(asked)).good(10)
                    assert made.disk("field", 0)["sw_state"] == "CLAIMED", made.disk("field", 0)


def luns_refused(t):
    for what, answer in {"BUSY": BUSY, "a CHECK CONDITION": check(4, 0x44), "no bytes": Answer()}.items():
        with t.case("REPORT LUNS of a scan is answered with %s once: the disk in use stays" % what):
            with FieldTarget() as target, field.world(t, target) as made:
                path, left = field.path(made), [answer]
                target.on_command = lambda c: left.pop() if c.opcode == REPORT_LUNS and left else None
                made.request("scan", 60)
                field.write(path, 0, field.block("x")).good(10)


def new_unit(t):
    tellers = {
        "unit attention 3F/0E at the next read": lambda made, target: (
            target.attention(0, sense(6, 0x3f, 0x0e)), field.read(field.path(made)).good(10)),
        "an asynchronous event": lambda made, target: target.online()[0].event(0, sense(6, 0x3f, 0x0e)),
        "a scan": lambda made, target: made.request("scan", 60),
    }
    for what, tell in tellers.items():
        with t.case("a unit that is mapped later is told by %s: it is known after a moment" % what):
            with FieldTarget() as target, field.world(t, target) as made:
                target.units.append(Unit(5, "five"))
                tell(made, target)
                proc.wait_for("the disk", lambda: any(d["lun"] == 5 for d in made.tree("disk")), limit=10)


def look_is_cut_short(t):
    with t.case("the connection is lost while the target's LUNs are looked at, as it asked for: they are looked at again"):
        with FieldTarget() as target, field.world(t, target) as made:
            target.units.append(Unit(5, "five"))
            left = [DROP]
            target.on_command = lambda c: left.pop() if c.opcode == REPORT_LUNS and left else None
            target.online()[0].event(0, sense(6, 0x3f, 0x0e))
            proc.wait_for("the disk", lambda: any(d["lun"] == 5 for d in made.tree("disk")), limit=10)
            assert not left, "the connection was not lost"


def deleted(t):
    with t.case("a target that its portal offers no more: its state, and how to remove it, are told"):
        with FieldTarget() as target:
            target.targets[PREFIX + "b"] = [Unit(0, "b")]
            with field.world(t, target) as made:
                del target.targets[PREFIX + "b"]
                for c in target.online():
                    if c.name.endswith(":b"):
                        c.hang_up()
                proc.wait_for("a refused login", lambda: target.count("refused"))
                out = made.command("ioscan", "-fnH", "255", ok=None)
                told = out.out + out.err
                assert "NO_HW" in told and "iscsiutil -d" in told and PREFIX + "b" in told, told


def reserved(t):
    with t.case("a unit that another node has reserved is spoken of, and the others are made"):
        with FieldTarget([Unit(0), Unit(1, "B")]) as target:
            quiet = (INQUIRY, REPORT_LUNS, 0x03)
            target.on_command = lambda c: RESERVATION_CONFLICT if c.lun[1] == 1 and c.opcode not in quiet else None
            with field.world(t, target) as made:
                out = made.command("insf", "-H", "255", ok=None)
                assert "0.0.0.1" in out.out + out.err, out
                field.write(field.path(made), 0, field.block("x")).good(5)


def writes_nothing(t):
    with t.case("a scan that finds what was known writes nothing to the registry"):
        with FieldTarget([Unit(k, "u%d" % k) for k in range(20)]) as target, field.world(t, target) as made:
            def content():
                with open(made.path("var", "lib", "openisw", "registry.db-wal"), "rb") as f:
                    return hashlib.md5(f.read()).hexdigest()
            made.request("scan", 60)
            before = content()
            for _ in range(3):
                made.request("scan", 60)
            assert content() == before


def swapped(t):
    """A scan may not give an installed device another unit, and one that is listed no more stays what it was."""
    with t.case("another unit in the place of an installed device: a scan tells it, and nothing is written to it"):
        with FieldTarget([Unit(0, "one")]) as target, field.world(t, target, ReplacementTimeout=3) as made:
            made.request("device.install")
            path, other = field.path(made), Unit(0, "two")
            field.write(path, 0, field.block("1")).good(5)
            target.targets[target.name] = [other]
            for _ in range(2):
                made.request("scan", 60)
                field.write(path, 0, field.block("2")).bad(15, "EIO", "ENXIO", "ENOENT")
            assert not other.disk.chunks, other.disk.read(0, 8)
    with t.case("a unit that is not listed any more, and is again: its disk goes and comes"):
        with FieldTarget([Unit(0, "stays"), Unit(1, "goes")]) as target, field.world(t, target, ReplacementTimeout=3) as made:
            made.request("device.install")
            path, away = field.path(made, 1), target.unit(1)
            target.units.remove(away)
            made.request("scan", 60)
            assert made.disk("field", 1)["sw_state"] != "CLAIMED", made.disk("field", 1)
            field.write(field.path(made, 0), 0, field.block("x")).good(5)
            target.units.append(away)
            made.request("scan", 60)
            field.write(field.path(made, 1), 0, field.block("back")).good(10)
            assert away.disk.read(0, 4) == b"back"


def removed_after_change(t):
    with t.case("another unit in the place of one that nobody uses: rmsf works, or says how"):
        with FieldTarget([Unit(0, "old")]) as target, field.world(t, target) as made:
            made.command("insf", "-H", "255", ok=None)
            target.targets[target.name] = [Unit(0, "new")]
            target.hang_up()
            made.request("scan", 60)
            out = made.command("rmsf", "-H", "255/0/0.0.0.0", ok=None)
            assert "Removing" in out.out + out.err or "force" in out.out + out.err, out


def main():
    with tap.script() as t:
        for part in (joins, while_in_use, luns_refused, new_unit, look_is_cut_short, deleted, reserved, writes_nothing, swapped,
                     removed_after_change):
            part(t)


main()
