"""Names of targets as they are met: with capitals, with characters that RFC 3722 has not, with dates that RFC 7143 has not."""
import field
import proc
import tap
from fieldtgt import Chap, FieldTarget

CAPITALS = "iqn.2000-01.com.synology:DiskStation.Target-1.0A1B"
ODD = ["iqn.2003-01.org.linux-iscsi.store_1.x8664:sn.1a2b", "iqn.2015-1.workgroup:raid.vg0.data1",
       "iqn.2008-08.com.starwindsoftware:sw1-disk 1"]
GOOD = "iqn.2026-11.org.example:good"


def capitals(t):
    for said in (CAPITALS, CAPITALS.lower(), CAPITALS.upper().replace("IQN", "iqn")):
        with t.case("a target that is called %s is configured as %s" % (CAPITALS, said)):
            with FieldTarget(name=CAPITALS) as target, field.world(t, target) as made:
                target.chap = Chap("u", "targetsecret12")
                made.request("session.logout", instance=made.request("session.list")["sessions"][0]["instance"])
                made.command("iscsiutil", "-u", "-T", said, "-H", "CHAP_UNI", "-N", "u", "-W", "targetsecret12")
                made.command("iscsiutil", "-t", "authmethod", "CHAP", "-T", said)
                made.request("scan", 60)
                proc.wait_for("a login with CHAP", lambda: target.count("CHAP_R"), limit=20)
                assert len({d["target_name"] for d in made.tree("disk")}) == 1
    with t.case("the name that is shown can be given to the commands"):
        with FieldTarget(name=CAPITALS) as target, field.world(t, target) as made:
            shown = [line.split(":", 1)[1].strip() for line in made.command("iscsiutil", "-pO").out.splitlines()
                     if "iSCSI Name" in line]
            assert shown, made.command("iscsiutil", "-pO").out
            made.command("iscsiutil", "-t", "HeaderDigest", "None", "-T", shown[0])
    with t.case("a portal that tells a name in other letters each time has one target"):
        with FieldTarget(name=CAPITALS) as target, field.world(t, target) as made:
            target.targets = {CAPITALS.lower(): target.units}
            made.request("scan", 60)
            assert len(made.request("target.list")["targets"]) == 1, made.request("target.list")


def odd(t):
    for name in ODD:
        with t.case("a name that is none (%s) is used or told, with a word why, and the others are found" % name):
            with FieldTarget(name=name) as target:
                target.targets[GOOD] = target.units
                with field.world(t, target) as made:
                    out = made.command("ioscan", "-fnH", "255", ok=None)
                    told = out.out + out.err + field.events(made)
                    assert name in told, told
                    assert any(d["target_name"] == GOOD for d in made.tree("disk")), made.tree("disk")


def main():
    with tap.script() as t:
        capitals(t)
        odd(t)


main()
