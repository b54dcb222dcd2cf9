"""LUNs of every kind: many of them, beyond the first virtual target and bus, 4096-byte blocks, beyond 2 TiB, write-protected,
thinly provisioned; through the disk file and through the block device; IPv6 and access control."""
import errno
import os

import box
import pattern
import proc
import tap
from initiator import Initiator, have_loop
from istgt import Istgt
from tgt import Tgt

MIB, TIB = 1 << 20, 1 << 40
SEEN = {"shadows": 0}


def disk_of(node, backing, path=None, seed=0):
    SEEN["shadows"] += 1
    shadow = os.path.join(box.directory(), "shadow%d" % SEEN["shadows"])
    return pattern.Disk(path or node["file"], backing, shadow, block=node["block_bytes"], seed=seed)


def write_and_check(node, backing, seed):
    disk = disk_of(node, backing, seed=seed)
    disk.write_patterns(10, MIB // node["block_bytes"])
    disk.check()


def expect_errno(expected, what, *args):
    try:
        what(*args)
    except OSError as e:
        assert e.errno in expected, "%s, expected one of %s" % (e, [errno.errorcode[n] for n in expected])
    else:
        raise AssertionError("it went well, expected one of %s" % [errno.errorcode[n] for n in expected])


def eight(t, initiator, suffix, files):
    with t.case("%s: 8 LUNs hold different data" % suffix):
        disks = [disk_of(initiator.disk(suffix, lun), path, seed=200 + lun) for lun, path in files]
        for disk in disks:
            disk.write_patterns(4, 256)
        for disk in disks:
            disk.check()


def paths(t, initiator, suffix):
    with t.case("a LUN of 8 and more lies on the next virtual target, of 128 and more on the next bus"):
        for lun, bus, target, low in ((1, 0, 0, 1), (8, 0, 1, 0), (17, 0, 2, 1), (130, 1, 0, 2)):
            node = initiator.disk(suffix, lun)
            session = node["session_instance"]
            assert node["hw_path"] == "255/0/%d.%d.%d.%d" % (session, bus, target, low), node
            assert node["file"].endswith("t%dd%d" % (target, low)), node
        drivers = {n["hw_path"]: n["driver"] for n in initiator.tree()}
        assert drivers["255/0"] == "iscsi", drivers
        assert drivers["255/0/%d.1" % session] == "iscsial", drivers
        assert drivers["255/0/%d.0.2" % session] == "tgt", drivers


def protected(t, initiator, node, backing):
    with t.case("a write-protected LUN can be read and refuses writes"):
        assert node["read_only"], node
        with open(backing, "r+b") as f:
            f.write(b"written by the target's owner".ljust(4096, b"."))
        assert pattern.read_at(node["file"], 0, 4096).startswith(b"written by the target's owner")
        expect_errno((errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO), pattern.write_at, node["file"], 0, bytes(512))


def beyond(t, node, backing):
    with t.case("a LUN of 3 TiB: every address, reads and writes with 16-byte commands"):
        assert node["size_bytes"] == 3 * TIB, node
        disk = disk_of(node, backing, seed=300)
        for offset in (0, 2 * TIB - 4096, 2 * TIB, 2 * TIB + 512, 3 * TIB - MIB):
            disk.write(offset, disk.random.randbytes(MIB if offset + MIB <= 3 * TIB else 4096))
        disk.check()
        fd = os.open(node["file"], os.O_RDONLY)
        try:
            assert os.pread(fd, 512, 3 * TIB) == b"", "there is something behind the end"
        finally:
            os.close(fd)


def block_device(t, initiator, node, backing, size):
    name = "block device with %d-byte blocks" % node["block_bytes"]
    with t.case(name):
        if not have_loop():
            raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
        node = initiator.disk(node["target_name"].rsplit(":", 1)[1], node["lun"])
        block = node["block"]
        assert block, "insf made no block device: %s" % node
        assert pattern.device_size(block) == size and pattern.device_block(block) == node["block_bytes"]
        disk = disk_of(node, backing, path=block, seed=400)
        disk.write_patterns(6, 512, direct=True)
        disk.write_patterns(6, 512, direct=False)
        disk.check()


def discard(t, initiator, node, backing):
    with t.case("discarding gives the target's space back"):
        if not have_loop():
            raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
        node = initiator.disk(node["target_name"].rsplit(":", 1)[1], node["lun"])
        disk_of(node, backing, seed=500).write(0, os.urandom(8 * MIB))
        os.sync()
        before = os.stat(backing).st_blocks * 512
        proc.run("blkdiscard", "--offset", 0, "--length", 8 * MIB, node["block"])
        after = os.stat(backing).st_blocks * 512
        assert before - after >= 7 * MIB, "%d bytes before, %d after" % (before, after)


def tgt_cases(t):
    with Tgt() as tgt, Initiator("tgt-root") as initiator:
        t.show_on_failure(tgt)
        t.show_on_failure(initiator)
        many = tgt.target("many")
        files = [(lun, tgt.lun(many, lun)) for lun in (1, 2, 3, 4, 5, 6, 7, 8, 17, 130)]
        kinds = tgt.target("kinds")
        wide = tgt.lun(kinds, 1, size=64 * MIB, blocksize=4096)
        huge = tgt.lun(kinds, 2, size=3 * TIB)
        locked = tgt.lun(kinds, 3, readonly=1)
        thin = tgt.lun(kinds, 4, thin_provisioning=1)
        plain = tgt.lun(kinds, 5)
        tgt.target("forbidden", allow="192.0.2.77")
        initiator.discover(tgt)
        eight(t, initiator, "many", files[:8])
        with t.case("LUNs 17 and 130 as well"):
            for lun, path in files[8:]:
                write_and_check(initiator.disk("many", lun), path, lun)
        paths(t, initiator, "many")
        with t.case("a LUN with 4096-byte blocks"):
            node = initiator.disk("kinds", 1)
            assert node["block_bytes"] == 4096 and node["size_bytes"] == 64 * MIB, node
            write_and_check(node, wide, 1)
        beyond(t, initiator.disk("kinds", 2), huge)
        protected(t, initiator, initiator.disk("kinds", 3), locked)
        with t.case("insf makes a device file for every disk"):
            initiator.command("insf", "-H", "255")
            for node in initiator.tree("disk"):
                assert os.path.exists(node["rdsk"]) and os.path.exists(node["dsk"]), node
                assert os.path.realpath(node["rdsk"]) == os.path.realpath(node["file"]), node
        block_device(t, initiator, initiator.disk("kinds", 1), wide, 64 * MIB)
        block_device(t, initiator, initiator.disk("kinds", 5), plain, 32 * MIB)
        discard(t, initiator, initiator.disk("kinds", 4), thin)
        with t.case("a target that does not let us in appears nowhere, the others are there"):
            assert not any("forbidden" in s["target_name"] for s in initiator.request("session.list")["sessions"])


def portal_cases(t):
    with Tgt("tgt6", portals=("::1", "127.0.0.1")) as tgt, Initiator("portal-root") as initiator:
        t.show_on_failure(initiator)
        backing = tgt.lun(tgt.target("twice"), 1)
        # tgt tells only of its portals of the address family that it is asked through.
        initiator.command("iscsiutil", "-a", "-I", "127.0.0.1", "-P", tgt.portals[1][1])
        initiator.discover(tgt)
        with t.case("each address of a target, IPv6 and IPv4, has a session of its own"):
            sessions = initiator.request("session.list")["sessions"]
            assert sorted((s["address"], s["port"]) for s in sessions) == sorted(tgt.portals), sessions
            assert all(s["state"] == "online" for s in sessions), sessions
        with t.case("a unit that two addresses lead to has one device; the other path is shown as what it is"):
            (one,), (other,) = initiator.tree("disk"), initiator.tree("lunpath")
            assert one["designator"] == other["designator"] and one["session_instance"] < other["session_instance"], (one, other)
            assert one["sw_state"] == other["sw_state"] == "CLAIMED" and one["file"].endswith(other["alternate_of"]), (one, other)
            assert "file" not in other and one["hw_path"] in other["note"], other
            write_and_check(one, backing, 3)
            out = initiator.command("insf", "-e")
            assert "another path" in out.out + out.err, out


def istgt_cases(t):
    istgt = Istgt()
    files = istgt.target("many", luns=range(9))
    wide, = istgt.target("wide", size=64 * MIB, blocksize=4096)
    with istgt, Initiator("istgt-root") as initiator:
        t.show_on_failure(istgt)
        t.show_on_failure(initiator)
        initiator.discover(istgt)
        eight(t, initiator, "many", list(enumerate(files)))
        with t.case("istgt: LUN 8 lies on virtual target 1"):
            node = initiator.disk("many", 8)
            assert node["hw_path"].split(".", 1)[1] == "0.1.0", node
        with t.case("istgt: a LUN with 4096-byte blocks"):
            write_and_check(initiator.disk("wide", 0), wide, 2)


def main():
    with tap.script() as t:
        tgt_cases(t)
        portal_cases(t)
        istgt_cases(t)


main()
