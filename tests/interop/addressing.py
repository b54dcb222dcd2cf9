"""LUNs in every form a target may write them in, and portals as SendTargets and people write them."""
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import WELL_KNOWN_REPORT_LUNS, NOT_SUPPORTED, REPORT_LUNS, Unit, flat, lun_list, peripheral

EXTENDED_5 = b"\xd2\x00\x00\x05" + bytes(4)


def luns(made):
    return sorted(d["lun"] for d in made.tree("disk") if d["sw_state"] == "CLAIMED")


def mixed(t):
    with t.case("LUNs 0 to 3 are there, 256 to 261 are mapped one by one: each comes, none goes"):
        with FieldTarget([Unit(k, "u%d" % k) for k in range(4)]) as target, field.world(t, target) as made:
            want = [0, 1, 2, 3]
            for n in range(256, 262):
                target.units.append(Unit(n, "u%d" % n))
                made.request("scan", 60)
                want.append(n)
                assert luns(made) == want, luns(made)
            paths = {d["lun"]: d["file"] for d in made.tree("disk")}
            for n in want:
                field.write(paths[n], 0, field.block("lun %d" % n)).good(5)
                assert target.unit(n).disk.read(0, 6) == ("lun %d" % n).encode()[:6].ljust(6, b"l")[:6]
    with t.case("one number in two forms is one LUN, and one disk"):
        units = [Unit(flat(0), "0"), Unit(flat(7), "7"), Unit(peripheral(7), "7")]
        units[2].disk = units[1].disk
        with FieldTarget(units) as target, field.world(t, target) as made:
            assert luns(made) == [0, 7], luns(made)
            path = [d["file"] for d in made.tree("disk") if d["lun"] == 7][0]
            field.write(path, 0, field.block("x")).good(5)
            assert units[1].disk.read(0, 1) == b"x"
    with t.case("a LUN in extended form beside peripheral ones"):
        with FieldTarget([Unit(0, "a"), Unit(EXTENDED_5, "e")]) as target, field.world(t, target) as made:
            assert 0 in luns(made)
            if 5 not in luns(made):
                told = made.command("ioscan", "-fnH", "255", ok=None)
                assert "left out" in told.out + told.err or "unclaimed" in made.command("iscsiutil", "-s", "-G").out, told
    with t.case("LunAddressing primary: LUNs of another method than the first one's are left out"):
        with FieldTarget([Unit(0, "p"), Unit(flat(7), "f")]) as target, \
                field.world(t, target, LunAddressing="primary") as made:
            assert luns(made) == [0], luns(made)
            made.command("iscsiutil", "-t", "LunAddressing", "default")
            assert made.request("initiator.get")["choices"]["LunAddressing"] == {"value": "all", "from": "default"}
            target.hang_up()
            proc.wait_for("the next login, from which it counts", lambda: made.request("scan", 60) and luns(made) == [0, 7], limit=20)


def well_known(t):
    with t.case("nobody at LUN 0: the REPORT LUNS well-known logical unit is asked"):
        with FieldTarget([Unit(20, "a"), Unit(40, "b")]) as target:
            target.on_command = lambda c: NOT_SUPPORTED if c.lun == bytes(8) else None
            with field.world(t, target) as made:
                assert luns(made) == [20, 40], luns(made)
                assert any(c.lun == WELL_KNOWN_REPORT_LUNS for c in target.commands((REPORT_LUNS,)))
    with t.case("nobody anywhere: no disk, and the scan ends"):
        with FieldTarget([]) as target:
            target.on_command = lambda c: NOT_SUPPORTED
            with field.world(t, target) as made:
                assert not made.tree("disk")


def portals(t):
    with t.case("one portal that is listed with two tags is one disk, and no error"):
        with FieldTarget() as target:
            target.portals = ["%s,1" % target.portal(), "%s,2" % target.portal()]
            with field.world(t, target) as made:
                assert len(made.tree("disk")) == 1, made.tree("disk")
                for _ in range(2):
                    made.command("ioscan", "-fnH", "255")
    with t.case("SendTargets names an address that cannot be reached: the target can be given one that can"):
        with FieldTarget() as target:
            target.portals = ["192.0.2.10:3260,1"]
            with field.world(t, target, LoginTimeout=2) as made:
                out = made.command("iscsiutil", "-a", "-T", target.name, "-I", target.host, "-P", target.port, ok=None)
                assert "no meaning" not in out.out + out.err, out
    with t.case("a portal that is written with its port or its tag is taken, or the way to write it is told"):
        with field.initiator(t) as made:
            for text in ("10.0.0.1:3260", "[::1]:3260", "10.0.0.1,1", "10.0.0.1:3260,1", "iscsi://10.0.0.1", "[fe80::1]:3260,2"):
                out = made.command("iscsiutil", "-a", "-I", text, ok=None)
                assert out.code == 0 or "-P" in out.out + out.err, out


def main():
    with tap.script() as t:
        for part in (mixed, well_known, portals):
            part(t)


main()
