"""Root's driver has no right to mount: its porter has.  Each of them dies, in either order, under disks that are in use.

What a driver that was conquered can ask its porter for, src/export/test_porter*.c try.
"""
import os
import signal

import box
import proc
import tap
from initiator import Initiator, have_fuse, have_loop
from tgt import Tgt

MIB = 1 << 20


def porter_of(driver):
    with open("/proc/%d/task/%d/children" % (driver, driver)) as f:
        pid, = [int(word) for word in f.read().split()]
    with open("/proc/%d/comm" % pid) as f:
        assert f.read() == "iscsi-porter\n"
    return pid


def has_ended(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def log_of(initiator):
    with open(initiator.log) as f:
        return f.read()


def check(initiator, *names):
    """Each disk is there, as a file and as a block device of its own."""
    blocks = set()
    for name in names:
        node = initiator.disk(name, 1)
        assert "block" in node, node
        assert os.readlink(node["dsk"]) == node["block"], node
        for path in (node["file"], node["block"]):
            with open(path, "rb") as f:
                assert len(f.read(4096)) == 4096
        blocks.add(node["block"])
    loops = box.loops_under(initiator.root)
    assert blocks == set(loops) and len(blocks) == len(names), (blocks, loops)


def use(node):
    """What a program writes through the block device is on the disk."""
    data = os.urandom(MIB)
    fd = os.open(node["block"], os.O_RDWR | os.O_SYNC)
    try:
        assert os.pwrite(fd, data, 0) == MIB
    finally:
        os.close(fd)
    with open(node["file"], "rb") as f:
        assert f.read(MIB) == data


def without_porter(t, initiator, tgt):
    porter = porter_of(initiator.driver.pid)
    with t.case("when its porter is killed, the driver says so, with the cause and what to do"):
        os.kill(porter, signal.SIGKILL)
        proc.wait_for("the driver to say so", lambda: "process %d, which mounts disks" % porter in log_of(initiator))
        line, = [line for line in log_of(initiator).splitlines() if "process %d, which mounts disks" % porter in line]
        assert "was ended by signal 9" in line and "start iscsi_driverd anew" in line, line
    with t.case("the disks that are there go on"):
        for name in ("one", "two"):
            use(initiator.disk(name, 1))
        assert initiator.request("io.tree")["nodes"]
    with t.case("a disk that is not there yet is refused, with the cause and what to do", 60):
        tgt.lun(tgt.target("three"), 1)
        failure, = initiator.request("scan", 60)["failures"]
        assert "the process that mounts them has ended" in failure["error"] and "start iscsi_driverd anew" in failure["next"], failure
        use(initiator.disk("one", 1))


def main():
    with tap.script() as t, Tgt() as tgt:
        if not have_fuse() or not have_loop():
            raise tap.Skip("no FUSE or no loop devices here (it needs root)")
        for name in ("one", "two"):
            tgt.lun(tgt.target(name), 1)
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            initiator.discover(tgt)
            initiator.command("insf", "-H", "255")
            check(initiator, "one", "two")
            with t.case("a driver that is killed takes its porter along, and its successor has the disks again", 90):
                porter = porter_of(initiator.driver.pid)
                initiator.driver.kill(signal.SIGKILL)
                proc.wait_for("the porter to end", lambda: has_ended(porter))
                initiator.restart_driver()
                initiator.request("scan", 60)
                check(initiator, "one", "two")
            without_porter(t, initiator, tgt)
            with t.case("a driver that is killed after its porter leaves nothing that its successor does not clear away", 90):
                initiator.driver.kill(signal.SIGKILL)
                initiator.restart_driver()
                initiator.request("scan", 60)
                initiator.command("insf", "-H", "255")
                check(initiator, "one", "two", "three")
            with t.case("a porter that is killed after its driver leaves nothing either", 90):
                porter = porter_of(initiator.driver.pid)
                os.kill(porter, signal.SIGSTOP)
                initiator.driver.kill(signal.SIGKILL)
                os.kill(porter, signal.SIGKILL)
                initiator.restart_driver()
                initiator.request("scan", 60)
                check(initiator, "one", "two", "three")
            with t.case("a stop without a porter ends, and what it cannot take away the next start does", 90):
                os.kill(porter_of(initiator.driver.pid), signal.SIGKILL)
                initiator.driver.kill(signal.SIGTERM, limit=60)
                initiator.restart_driver()
                initiator.request("scan", 60)
                check(initiator, "one", "two", "three")
            with t.case("an orderly stop leaves no mount, loop device or process"):
                porter = porter_of(initiator.driver.pid)
                initiator.stop()
                assert has_ended(porter)
                assert not box.leftovers(initiator.root), box.leftovers(initiator.root)


main()
