"""ext4 on an iSCSI disk: a thousand files survive, and fsck finds nothing."""
import filecmp
import os
import random

import box
import proc
import tap
from initiator import Initiator, have_loop
from istgt import Istgt
from tgt import Tgt

FILES, MIB = 1000, 1 << 20


def make_files(directory):
    """A thousand files of 0 bytes to 64 KiB and a few large ones, in 20 directories."""
    rng = random.Random(7)
    for i in range(FILES):
        where = os.path.join(directory, "d%02d" % (i % 20))
        os.makedirs(where, exist_ok=True)
        size = rng.choice((0, 1, 511, 4096, 8191, 65536)) if i % 50 else 3 * MIB + i
        with open(os.path.join(where, "f%04d" % i), "wb") as f:
            f.write(rng.randbytes(size))


def same(a, b):
    compare = filecmp.dircmp(a, b)
    pending, files = [compare], 0
    while pending:
        c = pending.pop()
        assert not (c.left_only or c.right_only or c.funny_files), (c.left, c.left_only, c.right_only, c.funny_files)
        _, differ, errors = filecmp.cmpfiles(c.left, c.right, c.common_files, shallow=False)
        assert not differ and not errors, (c.left, differ, errors)
        files += len(c.common_files)
        pending += c.subdirs.values()
    return files


def survives(t, initiator, suffix, lun, backing):
    with t.case("%s: 1,000 files on ext4, unmounted, fsck, mounted again, and the target's file holds them" % suffix, 180):
        if not have_loop():
            raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
        initiator.command("insf", "-H", "255")
        block = initiator.disk(suffix, lun)["block"]
        source = os.path.join(box.directory(), "source")
        if not os.path.exists(source):
            os.mkdir(source)
            make_files(source)
        proc.run("mkfs.ext4", "-q", block, limit=60)
        point = os.path.join(box.directory(), "mnt-" + suffix)
        os.mkdir(point)
        proc.run("mount", block, point)
        try:
            proc.run("cp", "-a", source, point, limit=120)
            proc.run("sync", "-f", point, limit=120)
        finally:
            proc.run("umount", point, limit=60)
        proc.run("fsck.ext4", "-fn", block, limit=120)
        proc.run("mount", block, point)
        try:
            assert same(source, os.path.join(point, "source")) == FILES
        finally:
            proc.run("umount", point, limit=60)
        # The target's own file, without the initiator: what fsck and debugfs of the target's side would see.
        proc.run("fsck.ext4", "-fn", backing, limit=120)


def in_use(t, initiator, suffix, lun):
    with t.case("a mounted disk is in use: removal, logout and stop are refused with the reason, and nothing changes"):
        if not have_loop():
            raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
        node = initiator.disk(suffix, lun)
        point = os.path.join(box.directory(), "mnt-busy")
        os.mkdir(point)
        proc.run("mount", node["block"], point)
        try:
            for op, args in (("device.remove", {"hw_path": node["hw_path"]}),
                             ("session.logout", {"instance": node["session_instance"]}),
                             ("target.remove", {"name": node["target_name"]}), ("driver.stop", {})):
                answer = expect_busy(initiator, op, args)
                assert answer["message"] and answer["next"], answer
            assert os.listdir(point), "the file system is gone"
        finally:
            proc.run("umount", point)


def expect_busy(initiator, op, args):
    try:
        initiator.request(op, **args)
    except Exception as e:  # Refused has the error object, anything else has none
        error = getattr(e, "error", None)
        assert error and error["code"] == "BUSY", "%s: %s" % (op, e)
        return error
    raise AssertionError("%s was not refused" % op)


def main():
    with tap.script() as t:
        istgt = Istgt()
        other, = istgt.target("fs-istgt", size=256 * MIB)
        with Tgt() as tgt, istgt:
            backing = tgt.lun(tgt.target("fs-tgt"), 1, size=256 * MIB)
            with Initiator() as initiator:
                t.show_on_failure(initiator)
                initiator.discover(tgt, istgt)
                survives(t, initiator, "fs-tgt", 1, backing)
                survives(t, initiator, "fs-istgt", 0, other)
                in_use(t, initiator, "fs-tgt", 1)
        with t.case("after a stop no process, mount or loop device is left"):
            left = box.leftovers(initiator.root)
            assert not left, left


main()
