"""A place where nothing is mounted at /sys, as a chroot or a container may be: a disk's block device is known again all the same,
whoever uses it is named, and nothing is left."""
import os
import signal

import box
import proc
import tap
from initiator import Initiator, have_fuse, have_loop
from tgt import Tgt


def loops():
    """The loop devices on disks of this test, as their own status tells them: {name}."""
    rows = [line.split(None, 1) for line in proc.run("losetup", "-l", "-n", "-O", "NAME,BACK-FILE").out.splitlines()]
    return {row[0] for row in rows if len(row) == 2 and box.directory() in row[1]}


def refused(made, point):
    busy = made.command("iscsi_driverd", "--stop", ok=(8,))
    assert "mounted at " + point in busy.err, busy


def main():
    with tap.script() as t:
        if not box.isolated() or not have_fuse() or not have_loop():
            raise tap.Skip("root, namespaces, /dev/fuse and loop devices are needed")
        point = os.path.join(box.directory(), "mnt")
        os.mkdir(point)
        proc.run("mount", "-t", "tmpfs", "tmpfs", "/sys")
        with Tgt() as target, Initiator(held=True) as made:
            t.show_on_failure(made)
            tid = target.target("bare")
            target.lun(tid, 1)
            made.discover(target)
            made.command("insf", "-H", "255")
            block = made.disk("bare", 1)["block"]
            with t.case("a mounted disk goes on with the same block device, and has no second one"):
                proc.run("mkfs.ext4", "-q", block, limit=60)
                proc.run("mount", block, point)
                for name in ("killed", "handed over"):
                    with open(os.path.join(point, name), "w") as f:
                        f.write(name)
                        f.flush()
                        os.fsync(f.fileno())
                    if name == "killed":
                        made.driver.kill(signal.SIGKILL)
                    else:
                        made.command("iscsi_driverd", "--hand-over", ok=(0,))
                        proc.wait_for("the driver to end", lambda: not made.driver.alive())
                    made.restart_driver()
                    proc.wait_for("the disk to have its block device", lambda: made.disk("bare", 1).get("block"))
                    with open(os.path.join(point, name)) as f:
                        assert f.read() == name
                    assert made.disk("bare", 1)["block"] == block
                    assert loops() == {block}, loops()
            with t.case("a stop is refused, and says for whose sake"):
                refused(made, point)
            with t.case("before a shutdown it is unmounted"):
                made.command("iscsi_driverd", "--unmount", "--within", "20", limit=60)
                assert not os.path.ismount(point)
            with t.case("free again it can be stopped, and nothing is left"):
                made.command("iscsi_driverd", "--stop")
                assert loops() == set(), loops()


main()
