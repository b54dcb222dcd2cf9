"""Block devices: one loop device a disk, whatever happens to disks, sessions, the driver, and the loop devices themselves."""
import glob
import os
import random
import signal
import threading

import box
import proc
import tap
from initiator import Initiator, Refused, have_loop
from tgt import Tgt

MIB = 1 << 20
TARGETS, LUNS = 4, 8


def bound(initiator):
    """File by number of every loop device on this initiator's disks."""
    found = {}
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(path) as f:
                file = f.read().strip()
        except OSError:
            continue
        if initiator.root in file:
            found[int(path.split("/")[3][4:])] = file
    return found


def blocks(initiator):
    return {d["block"]: d for d in initiator.tree("disk") if "block" in d}


def check_one_each(initiator, count):
    """As many loop devices as disks, each on its own disk's file, and the names lead there; none is in use."""
    devices, shown = bound(initiator), blocks(initiator)
    assert len(shown) == count, "%d block devices are shown, not %d" % (len(shown), count)
    assert len(devices) == count, (len(devices), count, devices)
    for block, node in shown.items():
        assert devices[int(block[len("/dev/loop"):])] == node["file"], (block, node["file"], devices)
        assert os.readlink(node["dsk"]) == block, node
    names = os.listdir(initiator.path("dev", "dsk"))
    assert len(names) == count, names
    # What is shown may be a second old.
    proc.wait_for("no disk to be in use", lambda: not any(d["in_use"] for d in initiator.tree("disk")), 5)


def fill(tgt):
    for i in range(TARGETS):
        tid = tgt.target("bd%d" % i)
        for lun in range(1, LUNS + 1):
            tgt.lun(tid, lun, size=2 * MIB)


def starts(t, initiator):
    with t.case("insf makes exactly one loop device a disk"):
        initiator.command("insf", "-H", "255")
        check_one_each(initiator, TARGETS * LUNS)
    with t.case("after kill -9 and a start each disk has one again, when the first scan is over"):
        for _ in range(3):
            initiator.driver.kill(signal.SIGKILL)
            initiator.restart_driver()
            initiator.request("scan")
            check_one_each(initiator, TARGETS * LUNS)


def stale_names(t, initiator, tgt):
    with t.case("after kill -9 no name leads anywhere before its disk is there"):
        initiator.driver.kill(signal.SIGKILL)
        assert os.listdir(initiator.path("dev", "dsk"))
        tgt.stop()
        initiator.restart_driver()
        assert not os.listdir(initiator.path("dev", "dsk")) and not os.listdir(initiator.path("dev", "rdsk"))
        assert not bound(initiator), bound(initiator)


def opened_late(t, initiator):
    with t.case("a disk that is open as a file or as a block device is not closed under its opener: logout is refused"):
        node = initiator.disk("bd1", 1)
        for path in (node["file"], node["block"]):
            # This process's opener is counted: it is not the driver.
            with open(path, "rb") as f:
                try:
                    initiator.request("session.logout", instance=node["session_instance"])
                    raise AssertionError("the logout was not refused")
                except Refused as e:
                    assert e.error["code"] == "BUSY", e.error
                assert len(f.read(4096)) == 4096
        check_one_each(initiator, TARGETS * LUNS)
    with t.case("an open that races a logout either keeps the session, or fails: it never gets a dead disk"):
        for _ in range(15):
            node = initiator.disk("bd1", 1)
            refused = []

            def logout(node=node, refused=refused):
                try:
                    initiator.request("session.logout", instance=node["session_instance"])
                except Refused as e:
                    refused.append(e.error["code"])
            racer = threading.Thread(target=logout)
            racer.start()
            try:
                with open(node["file"], "rb") as f:
                    racer.join()
                    assert refused == ["BUSY"], "it was closed under its opener: %s" % refused
                    assert len(f.read(512)) == 512
            except OSError:
                racer.join()
            initiator.request("scan")
        check_one_each(initiator, TARGETS * LUNS)


def churn(t, initiator):
    with t.case("scans, logouts, removals and installations in any order leave one loop device a disk", 150):
        rng = random.Random(11)

        def some(op, **args):
            try:
                initiator.request(op, 60, **args)
            except Refused:
                pass  # another of them was faster

        def one(seed):
            mine = random.Random(seed)
            for _ in range(12):
                session = mine.choice(initiator.request("session.list")["sessions"])["instance"]
                disk = mine.choice(initiator.tree("disk"))
                mine.choice((lambda: some("scan"), lambda: some("session.logout", instance=session),
                             lambda: some("device.remove", hw_path=disk["hw_path"]),
                             lambda: some("device.install"), lambda: some("device.install", existing=True)))()
        threads = [threading.Thread(target=one, args=(rng.random(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        initiator.request("scan")
        initiator.request("device.install", existing=True)
        check_one_each(initiator, TARGETS * LUNS)
        log = open(initiator.log).read()
        assert "takes long to be written out" not in log


def used_by(t, initiator):
    with t.case("io.tree of an ordinary asker costs no walk each: a hundred answers within a second or two"):
        before = os.times()
        for _ in range(100):
            initiator.request("io.tree")
        assert os.times().elapsed - before.elapsed < 10


def main():
    with tap.script() as t:
        if not have_loop():
            with t.case("block devices"):
                raise tap.Skip("no loop devices here (it needs root and /dev/loop-control)")
            return
        with Tgt() as tgt:
            fill(tgt)
            with Initiator() as initiator:
                t.show_on_failure(initiator)
                initiator.discover(tgt)
                starts(t, initiator)
                opened_late(t, initiator)
                churn(t, initiator)
                used_by(t, initiator)
                with t.case("an orderly stop leaves no loop device, mount or process"):
                    initiator.stop()
                    assert not box.leftovers(initiator.root), box.leftovers(initiator.root)
                initiator.start()
                initiator.request("scan")
                stale_names(t, initiator, tgt)


main()
