"""What a disk's users see while driver, holder, iswd and target are killed in any order: nothing.

No error, no wrong byte, nothing that was acknowledged is missing, the same block device.
OPENISW_OUTLIVE_KILLS: how often in the long cases.  OPENISW_OUTLIVE_SEED: in which order.
"""
import mmap
import os
import random
import signal
import threading

import box
import field
import proc
import tap
import writers
from initiator import Initiator, have_fuse, have_loop
from tgt import Tgt

KILLS = int(os.environ.get("OPENISW_OUTLIVE_KILLS", "12"))
SEED = int(os.environ.get("OPENISW_OUTLIVE_SEED", "0")) or random.randrange(1 << 32)
FLOOD, PIECE = 128, 64 << 10
LUNS = WRITTEN, MOUNTED, FLOODED, HANDED, HALTED = range(1, 6)


class World:
    """A target with a LUN for each case, an initiator whose disks outlive its driver, and a block device for each."""

    def __init__(self, target, initiator):
        self.target, self.initiator = target, initiator
        self.files = self.make_luns()
        initiator.discover(target)
        initiator.command("insf", "-H", "255")
        self.paths = {lun: initiator.disk("outlive", lun)["block"] for lun in LUNS}

    def make_luns(self):
        self.target.names = []
        tid = self.target.target("outlive")
        return {lun: self.target.lun(tid, lun, size=writers.SIZE) for lun in LUNS}

    def kill_driver(self):
        self.initiator.driver.kill(signal.SIGKILL)
        self.initiator.restart_driver()

    def kill_holder(self):
        self.initiator.holder.kill(signal.SIGKILL)
        self.initiator.start_holder()
        # Both in one moment are too much; what is between is this.
        proc.wait_for("the holder to have everything again", self.initiator.has_holder)

    def kill_iswd(self):
        self.initiator.iswd.kill(signal.SIGKILL)
        self.initiator.start_daemon("iswd")

    def kill_target(self):
        self.target.daemon.kill(signal.SIGKILL)
        self.target.start()
        self.make_luns()

    def kill_driver_and_target(self):
        self.initiator.driver.kill(signal.SIGKILL)
        self.target.daemon.kill(signal.SIGKILL)
        self.initiator.restart_driver()
        self.target.start()
        self.make_luns()

    def check(self, load, lun):
        writers.check_all(load, self.paths[lun])
        writers.check_all(load, self.files[lun])


class Files(threading.Thread):
    """A file system's user: writes, syncs and renames files, reads them again, for as long as it is told to."""

    def __init__(self, directory, until):
        super().__init__(daemon=True)
        self.directory, self.until, self.error, self.kept = directory, until, None, {}

    def run(self):
        rng = random.Random(SEED)
        try:
            while not self.until.is_set():
                name, data = "f%d" % rng.randrange(40), rng.randbytes(rng.randrange(200000))
                path = os.path.join(self.directory, name)
                with open(path + ".new", "wb") as f:
                    f.write(data)
                    f.flush()
                    os.fsync(f.fileno())
                os.rename(path + ".new", path)
                self.kept[name] = data
                self.look(rng.choice(list(self.kept)))
        except Exception as e:  # told by the main thread
            self.error = e

    def look(self, name):
        with open(os.path.join(self.directory, name), "rb") as f:
            assert f.read() == self.kept[name], "file %s is not what was written" % name


def any_order(t, w):
    rng = random.Random(SEED)
    point, until = os.path.join(box.directory(), "mnt"), threading.Event()
    kinds = [w.kill_driver, w.kill_driver, w.kill_holder, w.kill_iswd, w.kill_target, w.kill_driver_and_target]
    with t.case("writers and ext4, while everything is killed %d times in any order (seed %d)" % (KILLS, SEED), KILLS * 15 + 90):
        proc.run("mkfs.ext4", "-q", w.paths[MOUNTED], limit=60)
        os.mkdir(point)
        proc.run("mount", "-o", "errors=remount-ro", w.paths[MOUNTED], point)
        files = Files(point, until)
        files.start()
        try:
            load = writers.load_while(w.paths[WRITTEN], lambda: rng.choice(kinds)(), times=KILLS, pause=(0.1, 1))
        finally:
            until.set()
            files.join(60)
        assert not files.is_alive() and files.error is None, files.error
        assert len(files.kept) > 5, files.kept.keys()
    with t.case("every byte acknowledged is in the target's file, and the file system is whole", limit=180):
        w.check(load, WRITTEN)
        for name in files.kept:
            files.look(name)
        proc.run("umount", point, limit=60)
        proc.run("fsck.ext4", "-fn", w.paths[MOUNTED], limit=120)
        proc.run("fsck.ext4", "-fn", w.files[MOUNTED], limit=120)
    with t.case("the block devices are the same ones, and nothing was left behind"):
        for lun, path in w.paths.items():
            assert w.initiator.disk("outlive", lun)["block"] == path
        ours = [f for f in box.loop_files().values() if f.startswith(w.initiator.root)]
        assert len(ours) == len(w.paths), ours


def one_piece(fd, number, errors):
    with mmap.mmap(-1, PIECE) as buffer:
        buffer[:] = (b"%08d" % number) * (PIECE // 8)
        try:
            if os.pwritev(fd, [buffer], number * PIECE) != PIECE:
                errors.append("a short write")
        except OSError as e:
            errors.append(str(e))


def in_flight(t, w):
    with t.case("%d writes are in flight when the driver is killed" % FLOOD):
        node = w.initiator.disk("outlive", FLOODED)
        fd, errors = os.open(node["file"], os.O_RDWR | os.O_DIRECT), []
        # The target stands still, so that none of them is answered.
        os.kill(w.target.daemon.pid, signal.SIGSTOP)
        flood = [threading.Thread(target=one_piece, args=(fd, i, errors), daemon=True) for i in range(FLOOD)]
        for f in flood:
            f.start()
        field.pause(0.5)
        assert all(f.is_alive() for f in flood)
        w.initiator.driver.kill(signal.SIGKILL)
        os.kill(w.target.daemon.pid, signal.SIGCONT)
        w.initiator.restart_driver()
        for f in flood:
            f.join(60)
        os.close(fd)
        assert not errors and not any(f.is_alive() for f in flood), errors
        with open(w.files[FLOODED], "rb") as f:
            for i in range(FLOOD):
                assert f.read(PIECE) == (b"%08d" % i) * (PIECE // 8), "piece %d" % i


def stands_still(t, w, seconds):
    with t.case("the driver stands still for %d seconds" % seconds, limit=seconds + 90):
        def stop():
            w.initiator.driver.process.send_signal(signal.SIGSTOP)
            field.pause(seconds)
            w.initiator.driver.process.send_signal(signal.SIGCONT)
        w.check(writers.load_while(w.paths[HALTED], stop, times=2, pause=(1, 2)), HALTED)


def handed_over(t, w):
    with t.case("the driver is told to leave its disks to the next one, under writers"):
        def hand_over():
            w.initiator.command("iscsi_driverd", "--hand-over")
            assert not w.initiator.driver.alive() and w.initiator.driver.process.returncode == 10
            w.initiator.restart_driver()
        w.check(writers.load_while(w.paths[HANDED], hand_over, times=3, pause=(0.2, 1)), HANDED)
    with t.case("it is refused where nobody would keep them, and nothing ends"):
        w.initiator.holder.kill(signal.SIGTERM)
        proc.wait_for("the driver to miss its holder", lambda: not w.initiator.has_daemon("iscsi_holderd"))
        refused = w.initiator.command("iscsi_driverd", "--hand-over", ok=(8,))
        assert "iscsi_holderd does not run" in refused.err, refused
        assert w.initiator.driver.alive()
        w.initiator.start_holder()
        proc.wait_for("the holder to have everything again", w.initiator.has_holder)


def main():
    with tap.script() as t:
        if not have_fuse() or not have_loop():
            raise tap.Skip("no /dev/fuse, or no loop devices here")
        with Tgt() as target, Initiator(held=True) as initiator:
            t.show_on_failure(initiator)
            w = World(target, initiator)
            any_order(t, w)
            in_flight(t, w)
            handed_over(t, w)
            stands_still(t, w, int(os.environ.get("OPENISW_OUTLIVE_STOP", "3")))


main()
