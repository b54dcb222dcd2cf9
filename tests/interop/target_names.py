"""Names of targets as they are met: with capitals, beyond ASCII, with characters that RFC 3722 has not, with dates that RFC 7143
has not."""
import unicodedata

import field
import proc
import tap
from fieldtgt import Chap, FieldTarget

CAPITALS = "iqn.2000-01.com.synology:DiskStation.Target-1.0A1B"
ODD = ["iqn.2003-01.org.linux-iscsi.store_1.x8664:sn.1a2b", "iqn.2015-1.workgroup:raid.vg0.data1",
       "iqn.2008-08.com.starwindsoftware:sw1-disk 1"]
GOOD = "iqn.2026-11.org.example:good"


BEYOND = "iqn.2026-11.org.example:Gr\u00f6\u00dfe.\u039f\u03b4\u03cc\u03c2.\u30d7\u30e9"


def wide(name):
    """In letters as wide as ideographs."""
    return "".join(chr(ord(c) + 0xfee0) if "!" <= c <= "~" else c for c in name)


# How a user may spell a name (RFC 3722: the maps B.1 and B.2, normalisation form KC).
SPELLED = {
    CAPITALS: (CAPITALS, CAPITALS.lower(), CAPITALS.upper().replace("IQN", "iqn"), wide(CAPITALS)),
    BEYOND: (BEYOND, BEYOND.upper(), unicodedata.normalize("NFD", BEYOND.lower()), wide(BEYOND),
             BEYOND.replace("Gr", "G\u00adR").replace("\u00df", "ss").replace("\u30d7\u30e9", "\uff8c\uff9f\uff97")),
}
# Told by a target or typed: no name.
NONE = {"iqn.2026-11.org.example:a\u3002b": "prohibited character", "iqn.2026-11.org.example:\u05d0\u05d1": "from right to left",
        "iqn.2026-11.org.example:a\uff0fb": "prohibited character"}


def spellings(t):
    for name, said in ((name, said) for name in SPELLED for said in SPELLED[name]):
        with t.case("a target that is called %s is configured as %s" % (name, said)):
            with FieldTarget(name=name) as target, field.world(t, target) as made:
                target.chap = Chap("u", "targetsecret12")
                made.request("session.logout", instance=made.request("session.list")["sessions"][0]["instance"])
                made.command("iscsiutil", "-u", "-T", said, "-H", "CHAP_UNI", "-N", "u", "-W", "targetsecret12")
                made.command("iscsiutil", "-t", "authmethod", "CHAP", "-T", said)
                made.request("scan", 60)
                proc.wait_for("a login with CHAP", lambda: target.count("CHAP_R"), limit=20)
                assert {d["target_name"] for d in made.tree("disk")} == {name}
    with t.case("the name that is shown can be given to the commands"):
        with FieldTarget(name=CAPITALS) as target, field.world(t, target) as made:
            shown = [line.split(":", 1)[1].strip() for line in made.command("iscsiutil", "-pO").out.splitlines()
                     if "iSCSI Name" in line]
            assert shown, made.command("iscsiutil", "-pO").out
            made.command("iscsiutil", "-t", "HeaderDigest", "None", "-T", shown[0])
    for name in SPELLED:
        with t.case("a portal that tells %s in other letters each time has one target" % name):
            with FieldTarget(name=name) as target, field.world(t, target) as made:
                units = target.units
                for told in SPELLED[name][1:3]:
                    target.targets = {told: units}
                    made.request("scan", 60)
                    assert [x["name"] for x in made.request("target.list")["targets"]] == [told], made.request("target.list")


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
    for name, why in NONE.items():
        with t.case("a name that RFC 3722 has not (%s) is left out and refused, with a word why" % ascii(name)):
            with FieldTarget(name=name) as target:
                target.targets[GOOD] = target.units
                with field.world(t, target) as made:
                    out = made.command("ioscan", "-fnH", "255", ok=None)
                    assert why in out.out + out.err + field.events(made), out.out + out.err + field.events(made)
                    assert {d["target_name"] for d in made.tree("disk")} == {GOOD}, made.tree("disk")
                    out = made.command("iscsiutil", "-t", "HeaderDigest", "None", "-T", name, ok=None)
                    assert out.code != 0 and why in out.err, out


def main():
    with tap.script() as t:
        spellings(t)
        odd(t)


main()
