"""What administrators are told: of what was left out and why, of what is gone, and what the advice is worth that they get."""
import os

import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import INQUIRY, REPORT_LUNS, RESERVATION_CONFLICT, Answer, Unit, check

PREFIX = "iqn.2026-11.org.example:"
GOOD = PREFIX + "good"


class Device(Unit):
    """A unit of another type than a disk's."""

    def __init__(self, lun, name, kind):
        super().__init__(lun, name)
        self.kind = kind

    def inquiry(self, cdb):
        answer = super().inquiry(cdb)
        return Answer(answer.status, bytes([self.kind]) + answer.data[1:] if answer.data else b"", answer.sense)


def told(made, *words):
    """What a command says on both its outputs."""
    out = made.command(*words, ok=None)
    return out.out + out.err, out.code


# -- names and addresses of portals ------------------------------------------------------------------------------------------

def left_out(t):
    rows = {
        "iqn.2003-01.org.linux-iscsi.store_1.x8664:sn.1a2b": "prohibited character",
        "iqn.2015-1.workgroup:raid.vg0.data1": "a date yyyy-mm",
        "vol1": "does not begin",
        "iqn.2026-11.org.example:" + "x" * 250: "longer",
    }
    for name, why in rows.items():
        with t.case("a target that is called %.60s is left out, and ioscan says so" % name):
            with FieldTarget(name=name) as target:
                target.targets[GOOD] = target.units
                with field.initiator(t) as made:
                    made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                    text, code = told(made, "ioscan", "-fnH", "255")
                    assert name[:150] in text and why in text and code == 4, (code, text)
                    assert [d["target_name"] for d in made.tree("disk")] == [GOOD]
    with t.case("an address that is none is left out, and ioscan says so; the target has another one"):
        with FieldTarget() as target:
            target.portals = ["[::1:3260,1", target.portal() + ",1"]
            with field.initiator(t) as made:
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                text, code = told(made, "ioscan", "-fnH", "255")
                assert "[::1:3260" in text and code == 4, (code, text)
                assert len(made.tree("disk")) == 1
    with t.case("LUNs that get no hardware path are told by ioscan, which is no failure"):
        with FieldTarget([Unit(0), Unit(b"\0\1\0\2" + bytes(4), "deep")]) as target, field.initiator(t) as made:
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            for _ in range(2):
                text, code = told(made, "ioscan", "-fnH", "255")
                assert "LUN 0001000200000000 is left out: it has more than one level" in text and code == 0, (code, text)
            assert made.request("stats.get", **{"global": True})["global"]["values"]["unclaimed_luns"] == 1


# -- one portal, two tags ----------------------------------------------------------------------------------------------------

def two_tags(t):
    for listed, answered in (((1, 2), 1), ((2, 1), 1), ((1, 2), 2), ((3, 2, 1), 2)):
        with t.case("a portal that is named with the tags %s and answers %d is one disk, now and after a restart" % (
                listed, answered)):
            with FieldTarget() as target:
                target.portals = ["%s,%d" % (target.portal(), tag) for tag in listed]
                target.tags = {target.port: answered}
                with field.world(t, target) as made:
                    for _ in range(2):
                        text, code = told(made, "ioscan", "-fnH", "255")
                        assert code == 0 and len(made.tree("disk")) == 1, text
                    assert len(made.request("target.list")["targets"][0]["addresses"]) == 1
                    made.driver.kill()
                    made.restart_driver()
                    field.wait_online(made)
                    assert made.request("session.list")["sessions"][0]["tpgt"] == answered
                    text, code = told(made, "ioscan", "-fnH", "255")
                    assert code == 0 and len(made.tree("disk")) == 1, text
    with t.case("a portal that was typed in with one tag, and is named with two, is one disk"):
        with FieldTarget() as target, field.initiator(t) as made:
            target.portals = ["%s,%d" % (target.portal(), tag) for tag in (1, 2)]
            target.tags = {target.port: 2}
            made.command("iscsiutil", "-a", "-T", target.name, "-I", target.host, "-P", target.port)
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            for _ in range(3):
                text, _ = told(made, "ioscan", "-fnH", "255")
            assert len(made.tree("disk")) == 1 and "another portal group" not in text, text
            assert len(made.request("session.list")["sessions"]) == 1
    with t.case("a portal that is in another group than the one it is named with is still refused"):
        with FieldTarget() as target, field.initiator(t) as made:
            target.portals = ["%s,2" % target.portal()]
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            text, code = told(made, "ioscan", "-fnH", "255")
            assert "another portal group" in text and code == 4, (code, text)


# -- targets that are gone ---------------------------------------------------------------------------------------------------

def gone(t):
    with t.case("a target that was deleted: its devices are NO_HW, ioscan says how to remove it, and that works", 90):
        with FieldTarget() as target:
            target.targets[PREFIX + "b"] = [Unit(0, "b"), Device(1, "tape", 1)]
            with field.world(t, target) as made:
                made.request("device.install")
                units = target.targets.pop(PREFIX + "b")
                for c in target.online():
                    if c.name.endswith(":b"):
                        c.hang_up()
                proc.wait_for("a refused login", lambda: target.count("refused"))
                text, code = told(made, "ioscan", "-fnH", "255")
                assert "the portal does not offer this target any more" in text and code == 4, (code, text)
                # By name it is the first, so its session is 0.
                assert {n["sw_state"] for n in made.tree() if n["hw_path"].startswith("255/0/0")} == {"NO_HW"}, made.tree()
                assert {n["sw_state"] for n in made.tree() if n["hw_path"].startswith("255/0/1")} == {"CLAIMED"}
                # It comes back: nobody scans.
                target.targets[PREFIX + "b"] = units
                proc.wait_for("the disk to be back", lambda: made.disk("b", 0)["sw_state"] == "CLAIMED", limit=40)
                proc.wait_for("the tape to be back", lambda: any(n["class"] == "tape" and n["sw_state"] != "NO_HW"
                                                                for n in made.tree()), limit=10)
                del target.targets[PREFIX + "b"]
                for c in target.online():
                    if c.name.endswith(":b"):
                        c.hang_up()
                text, code = told(made, "ioscan", "-fnH", "255")
                words = text.split("remove it: iscsiutil ")[1].split(".\n")[0].split()
                made.command("iscsiutil", *words)
                text, code = told(made, "ioscan", "-fnH", "255")
                assert code == 0 and PREFIX + "b" not in text, (code, text)
    with t.case("while a portal does not answer, nobody knows whether it offers a target"):
        with FieldTarget() as target, FieldTarget(name=PREFIX + "other") as other, field.world(t, target, other) as made:
            other.stop()
            text, code = told(made, "ioscan", "-fnH", "255")
            assert "any more" not in text and "iscsiutil -d -T" not in text and code == 4, (code, text)
    with t.case("what somebody typed in is not called gone"):
        with FieldTarget() as target, field.initiator(t) as made:
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            made.command("iscsiutil", "-a", "-T", PREFIX + "typed", "-I", target.host, "-P", target.port)
            text, code = told(made, "ioscan", "-fnH", "255")
            assert "status 0203" in text and "any more" not in text and code == 4, (code, text)


# -- LUNs without a device ---------------------------------------------------------------------------------------------------

def no_device(t):
    quiet = (INQUIRY, REPORT_LUNS, 0x03)
    with t.case("insf says which LUNs get no device, and why: reserved, not ready, a tape, a scanner"):
        units = [Unit(0), Unit(1, "reserved"), Unit(2, "asleep"), Device(3, "scanner", 6), Device(4, "tape", 1)]
        with FieldTarget(units) as target:
            answers = {1: RESERVATION_CONFLICT, 2: check(2, 0x04, 0x03)}
            target.on_command = lambda c: answers.get(c.lun[1]) if c.opcode not in quiet else None
            with field.world(t, target) as made:
                text, code = told(made, "insf", "-H", "255")
                for words in ("255/0/0.0.0.1 is left out: LUN 1: ", "RESERVATION CONFLICT", "255/0/0.0.0.2 is left out: LUN 2: ",
                              "255/0/0.0.0.3 is left out", "255/0/0.0.0.4 is left out"):
                    assert words in text, text
                assert text.count("left out") == 4 and "instance 0 address 255/0/0.0.0.0" in text, text
                text, code = told(made, "insf", "-H", "255/0/0.0.0.1")
                assert "no such device" not in text and "RESERVATION CONFLICT" in text, text
                answers.clear()
                made.request("scan", 60)
                text, code = told(made, "insf", "-H", "255/0/0.0.0.1")
                assert "Installing special files" in text and "left out" not in text, text
                target.units[:] = units[:1]
                made.request("scan", 60)
                text, code = told(made, "insf", "-H", "255/0/0.0.0.2")
                assert "255/0/0.0.0.2 is left out: it is not there now" in text, text
                assert "left out" not in told(made, "insf", "-H", "255")[0]


# -- devices whose unit is another one ---------------------------------------------------------------------------------------

def replaced(t):
    with t.case("another unit came: rmsf and a scan, as ioscan advises, and its disk can be used"):
        with FieldTarget([Unit(0, "old")]) as target, field.world(t, target) as made:
            made.command("insf", "-H", "255")
            new = Unit(0, "new")
            target.targets[target.name] = [new]
            target.hang_up()
            text, code = told(made, "ioscan", "-fnH", "255")
            assert "remove the device (rmsf) and scan again" in text and code == 4, (code, text)
            text, _ = told(made, "insf", "-H", "255")
            assert "255/0/0.0.0.0 is left out: it is not the unit that it was" in text, text
            made.command("rmsf", "-H", "255/0/0.0.0.0")
            text, code = told(made, "ioscan", "-fnH", "255")
            assert code == 0, text
            made.command("insf", "-H", "255")
            field.write(field.path(made), 0, field.block("new")).good(10)
            assert new.disk.read(0, 3) == b"new"
    with t.case("a device whose unit was deleted is removed at once, with nothing written"):
        with FieldTarget([Unit(0), Unit(1, "b")]) as target, field.world(t, target) as made:
            made.command("insf", "-H", "255")
            target.units.pop()
            made.request("scan", 60)
            made.command("rmsf", "-H", "255/0/0.0.0.1", limit=5)
            assert not made.disk("field", 1).get("dsk"), made.disk("field", 1)


def dirty(t):
    with t.case("data that the kernel still has for a unit that is gone keep its device, until they are given up"):
        with FieldTarget([Unit(0, "old")]) as target, field.world(t, target, ReplacementTimeout=2) as made:
            made.command("insf", "-H", "255")
            block = made.disk("field", 0).get("block")
            if not block:
                raise tap.Skip("no loop devices here")
            with open(block, "r+b", buffering=0) as f:
                target.targets[target.name] = [Unit(0, "new")]
                target.hang_up()
                proc.wait_for("the other unit to be noticed", lambda: made.disk("field", 0)["sw_state"] == "UNCLAIMED")
                os.pwrite(f.fileno(), field.block("x"), 0)
            text, code = told(made, "rmsf", "-H", "255/0/0.0.0.0")
            assert "could not be written" in text and "rmsf --force" in text and code != 0, (code, text)
            made.command("rmsf", "--force", "-H", "255/0/0.0.0.0")


def main():
    with tap.script() as t:
        for part in (left_out, two_tags, gone, no_device, replaced, dirty):
            part(t)


main()
