"""Two initiators with two roots on one machine; and one that belongs to an ordinary user."""
import os
import stat

import box
import pattern
import proc
import tap
from initiator import Initiator, have_fuse, own_fuse
from tgt import Tgt

USER = "nobody"


def side_by_side(t, tgt, backing):
    with Initiator("left") as left, Initiator("right") as right:
        t.show_on_failure(left)
        t.show_on_failure(right)
        with t.case("two roots, two initiators, two names"):
            names = {i.request("initiator.get")["name"] for i in (left, right)}
            left.command("iscsiutil", "-i", "-N", "iqn.2026-11.org.example:left")
            right.command("iscsiutil", "-i", "-N", "iqn.2026-11.org.example:right")
            assert all(n.startswith("iqn.") for n in names), names
        with t.case("both use the same LUN, each through its own session"):
            left.discover(tgt)
            right.discover(tgt)
            assert sorted(tgt.sessions(1)) == ["iqn.2026-11.org.example:left", "iqn.2026-11.org.example:right"]
            block = os.urandom(1 << 16)
            pattern.write_at(left.disk("shared", 1)["file"], 65536, block)
            assert pattern.read_at(right.disk("shared", 1)["file"], 65536, len(block)) == block
            assert pattern.read_at(backing, 65536, len(block)) == block
        with t.case("stopping one leaves the other alone"):
            left.stop()
            assert tgt.sessions(1) == ["iqn.2026-11.org.example:right"], tgt.sessions(1)
            assert pattern.read_at(right.disk("shared", 1)["file"], 65536, len(block)) == block
        with t.case("a second driver in the same root is refused"):
            result = right.command("iscsi_driverd", "--foreground", ok=None, limit=10)
            assert result.code != 0 and "run" in result.err, result
            assert right.request("driver.version")["name"] == "iscsi"


def ordinary_user(t, tgt, backing):
    if os.geteuid() != 0 or proc.run("true", user=USER, ok=None).code != 0:
        raise tap.Skip("only root can become another user")
    if have_fuse() and box.isolated():
        own_fuse()
    with Initiator("user-root", user=USER) as initiator:
        t.show_on_failure(initiator)
        with t.case("an ordinary user's initiator: name, discovery, scan"):
            result = initiator.discover(tgt)
            assert result["discovery"]["ok"] == 1 and result["sessions"]["online"] == 1, result
            out = initiator.command("ioscan", "-kfH", "255").out
            assert "sdisk" in out and "CLAIMED" in out, out
        with t.case("an ordinary user reads and writes the disk's file"):
            if not have_fuse():
                raise tap.Skip("no /dev/fuse here")
            if not stat.S_IMODE(os.stat("/dev/fuse").st_mode) & 0o006:
                raise tap.Skip("/dev/fuse is root's alone, and there is no mount namespace to change that in")
            initiator.command("insf", "-H", "255")
            node = initiator.disk("shared", 1)
            script = "head -c 65536 /dev/urandom > $1/in; dd if=$1/in of=$2 bs=64k conv=notrunc status=none; " \
                     "dd if=$2 of=$1/out bs=64k count=1 status=none; cmp $1/in $1/out"
            proc.run("sh", "-euc", script, "sh", initiator.root, node["rdsk"], user=USER)
            with open(initiator.path("in"), "rb") as f:
                assert f.read() == pattern.read_at(backing, 0, 65536)
        with t.case("a stranger may look and not change"):
            root = Initiator("user-root")  # the same place, as root: root may
            root.request("initiator.get")
            stranger = proc.run(root.program("iscsiutil"), "-i", "-N", "iqn.2026-11.org.example:stolen", env=root.env,
                                user="daemon", ok=None)
            assert stranger.code != 0, stranger
            assert root.request("initiator.get")["name"] != "iqn.2026-11.org.example:stolen"


def main():
    with tap.script() as t, Tgt() as tgt:
        backing = tgt.lun(tgt.target("shared"), 1)
        side_by_side(t, tgt, backing)
        ordinary_user(t, tgt, backing)
        with t.case("nothing is left of any of them"):
            for name in ("left", "right", "user-root"):
                left = box.leftovers(os.path.join(box.directory(), name))
                assert not left, left


main()
