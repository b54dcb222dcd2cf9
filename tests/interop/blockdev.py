"""Block devices: one loop device a disk, whatever happens to disks, sessions, the driver, and the loop devices themselves."""
import glob
import os
import random
import signal
import threading

import box
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Initiator, Refused, have_loop
from minitgt import Behaviour, MiniTarget
from tgt import Tgt

MIB = 1 << 20
TARGETS, LUNS = 4, 8


def log_of(initiator):
    with open(initiator.log) as f:
        return f.read()


def bound(initiator, shown=()):
    """File by number of every loop device on this initiator's disks; and of those that are `shown`, wherever they are."""
    found = {}
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(path) as f:
                file = f.read().strip()
        except OSError:
            continue
        # A mount that was taken away lazily leaves the end of the name.
        if initiator.root in file or "/dev/" + path.split("/")[3] in shown:
            found[int(path.split("/")[3][4:])] = file
    return found


def blocks(initiator):
    return {d["block"]: d for d in initiator.tree("disk") if "block" in d}


def check_one_each(initiator, count):
    """As many loop devices as disks, each on its own disk's file, and the names lead there; none is in use."""
    shown = blocks(initiator)
    devices = bound(initiator, shown)
    assert len(shown) == count, "%d block devices are shown, not %d" % (len(shown), count)
    assert len(devices) == count, (len(devices), count, devices)
    for block, node in shown.items():
        assert devices[int(block[len("/dev/loop"):])] in (node["file"], "/" + os.path.basename(node["file"])), (block, node["file"], devices)
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


def by_hand(t, initiator):
    with t.case("a loop device that is taken away by hand is noticed and made again; another's number is left alone"):
        node = initiator.disk("bd0", 1)
        number = node["block"][len("/dev/loop"):]
        other = os.path.join(box.directory(), "plain")
        with open(other, "wb") as f:
            f.truncate(MIB)
        proc.run("losetup", "-d", node["block"])
        taken = proc.run("losetup", node["block"], other, ok=None).code == 0

        def mended():
            now = initiator.disk("bd0", 1)
            return "block" in now and os.path.exists(now["dsk"]) and bound(initiator).get(
                int(now["block"][len("/dev/loop"):])) == now["file"]
        proc.wait_for("the block device to be made again", mended)
        if taken:
            assert initiator.disk("bd0", 1)["block"] != "/dev/loop" + number
            with open("/sys/block/loop%s/loop/backing_file" % number) as f:
                assert f.read().strip() == other
            proc.run("losetup", "-d", "/dev/loop" + number)
        check_one_each(initiator, TARGETS * LUNS)


def mounts(t, initiator):
    for flag, what in (("-l", "lazily"), ("-fl", "by force")):
        with t.case("a mount that is taken away %s is noticed and made again, with its block devices" % what):
            node = initiator.disk("bd2", 1)
            with open(node["file"], "r+b") as f:
                f.write(b"before " + flag.encode())
            seen = log_of(initiator).count("its file is there again")
            # Where the connection is cut first, the driver may be faster to take the mount away.
            proc.run("umount", flag, os.path.dirname(node["file"]), ok=(0,) if flag == "-l" else None)
            proc.wait_for("the driver to say so", lambda: log_of(initiator).count("its file is there again") >= seen + LUNS)
            proc.wait_for("the block devices", lambda: len(blocks(initiator)) == TARGETS * LUNS and
                          all(os.path.exists(d["dsk"]) for d in blocks(initiator).values()))
            check_one_each(initiator, TARGETS * LUNS)
            node = initiator.disk("bd2", 1)
            for path in (node["file"], node["dsk"]):
                with open(path, "rb") as f:
                    assert f.read(7 + len(flag)) == b"before " + flag.encode(), path
    with t.case("a file system on a block device goes on while the mount below it is taken away lazily"):
        node = initiator.disk("bd3", 1)
        proc.run("mkfs.ext4", "-q", node["block"], limit=60)
        point = os.path.join(box.directory(), "mnt-lazy")
        os.mkdir(point)
        proc.run("mount", node["block"], point)
        try:
            seen = log_of(initiator).count("its file is there again")
            proc.run("umount", "-l", os.path.dirname(node["file"]))
            with open(os.path.join(point, "f"), "wb") as f:
                f.write(os.urandom(MIB // 2))
                os.fsync(f.fileno())
            proc.wait_for("the driver to say so", lambda: log_of(initiator).count("its file is there again") >= seen + LUNS)
            proc.run("sync", "-f", point)
        finally:
            proc.run("umount", point)
        proc.run("fsck.ext4", "-fn", node["block"], limit=60)
        check_one_each(initiator, TARGETS * LUNS)


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


def stop_refused(t, initiator):
    with t.case("a stop that meets an opener, also one that came just now, is refused as a whole, and all goes on"):
        for _ in range(5):
            node = initiator.disk("bd2", 3)
            refused = []

            def stop(refused=refused):
                try:
                    initiator.request("driver.stop")
                except Refused as e:
                    refused.append(e.error["code"])
            racer = threading.Thread(target=stop)
            with open(node["block"], "rb") as f:
                racer.start()
                racer.join()
                assert refused == ["BUSY"] and len(f.read(512)) == 512
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
        assert "takes long to be written out" not in log_of(initiator)


def removed_meanwhile(t, initiator):
    with t.case("a logout beside the removal of its target is answered, and the next scan has the disks again"):
        for _ in range(10):
            session = initiator.disk("bd0", 1)["session_instance"]

            def quietly(op, **args):
                try:
                    initiator.request(op, **args)
                except Refused:
                    pass  # the other one was faster
            asked = [("session.logout", {"instance": session, "force": True}) for _ in range(4)]
            asked.insert(1, ("target.remove", {"name": "iqn.2026-11.org.example:bd0", "force": True}))
            threads = [threading.Thread(target=quietly, args=(op,), kwargs=args) for op, args in asked]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            initiator.request("scan")
        initiator.request("device.install")
        check_one_each(initiator, TARGETS * LUNS)


def used_by(t, initiator):
    with t.case("io.tree of an ordinary asker costs no walk each: a hundred answers within a second or two"):
        before = os.times()
        for _ in range(100):
            initiator.request("io.tree")
        assert os.times().elapsed - before.elapsed < 10


def many(t):
    """As many sessions as can have disks, one disk each, behind two portals: a SendTargets answer is one PDU."""
    portals = [MiniTarget(**{"m%d%03d" % (p, i): Behaviour() for i in range(128)}) for p in range(2)]
    with Initiator("many") as initiator:
        t.show_on_failure(initiator)
        with t.case("256 disks of 256 sessions have one block device each, also after each of three starts", 200):
            result = initiator.discover(*portals, limit=100)
            assert not result["failures"], result["failures"][:3]
            initiator.command("insf", "-H", "255", limit=100)
            check_one_each(initiator, 256)
            for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
                initiator.driver.kill(how, limit=60)
                initiator.restart_driver()
                initiator.request("scan", 100)
                check_one_each(initiator, 256)
        with t.case("a stop gives all of them back, and takes them out of the system"):
            blocks = [os.path.join("/sys/block", os.path.basename(d["block"])) for d in initiator.tree("disk")]
            late = [b for b in blocks if int(b.split("loop")[-1]) >= 8]  # programs expect the first eight
            assert len(late) >= 248, blocks
            initiator.stop()
            # Another test's may have got the number since.
            proc.wait_for("the last of them to go", lambda: not box.leftovers(initiator.root) and not any(
                os.path.exists(b) and not os.path.exists(b + "/loop/backing_file") for b in late))


def protected(t):
    unit = Unit(0, "protected")
    unit.is_write_protected = True
    with FieldTarget([unit]) as target, Initiator("protected") as initiator:
        t.show_on_failure(initiator)
        with t.case("a write-protected unit has a block device, which is read-only"):
            initiator.discover(target)
            initiator.command("insf", "-H", "255")
            node = initiator.disk("field", 0)["block"]
            with open("/sys/block/%s/ro" % os.path.basename(node)) as f:
                assert f.read().strip() == "1"


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
                by_hand(t, initiator)
                mounts(t, initiator)
                opened_late(t, initiator)
                stop_refused(t, initiator)
                churn(t, initiator)
                removed_meanwhile(t, initiator)
                used_by(t, initiator)
                with t.case("an orderly stop leaves no loop device, mount or process"):
                    initiator.stop()
                    assert not box.leftovers(initiator.root), box.leftovers(initiator.root)
                initiator.start()
                initiator.request("scan")
                stale_names(t, initiator, tgt)
        many(t)
        protected(t)


main()
