"""Arrays that map their volumes at will: several targets show some of several volumes at LUNs of their own, which come, go, change places, are
replaced and grow while they are written, portals fail, the driver is killed, and an administrator scans, logs out and removes.

What is written to a volume's disk is on that volume and on no other one, at every moment.  In the end, when all is well and what another unit
stands at has been removed, each volume is one disk, whose paths are LUNs that show it, and nothing goes on by itself.

OPENISW_ARRAYS_SEED, OPENISW_ARRAYS_WORLDS: the first seed, and how many.  A failure names its seed.
"""
import contextlib
import json
import os
import random
import re
import signal
import sys
import threading

import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Blocks, Unit, address, check
from initiator import Refused

PREFIX = "iqn.2026-11.org.example:array"
TARGETS, VOLUMES, LUNS, MOVES = 4, 6, 8, 14
CHANGED, RESIZED = check(6, 0x3f, 0x0e).sense, check(6, 0x2a, 9).sense
ASKED_S, REST_S = 60, 30
TEXT = re.compile(rb"v\d+:\d+ ")


class Volume:
    """Its units at all targets have one name, one size and one medium."""

    def __init__(self, number):
        self.number, self.name, self.blocks, self.disk = number, "v%d" % number, 2048, Blocks()

    def unit(self, lun):
        made = Unit(lun, self.name, blocks=self.blocks)
        made.disk, made.volume, made.lun = self.disk, self, lun
        return made

    @property
    def designator(self):
        return "naa." + self.unit(0).designators[0][4:].hex()


class World:
    def __init__(self, seed, stack, made):
        self.r, self.made, self.story = random.Random(seed), made, []
        self.volumes = [Volume(k) for k in range(self.r.randrange(2, VOLUMES + 1))]
        self.targets = [stack.enter_context(FieldTarget([], name=PREFIX + str(k))) for k in range(self.r.randrange(2, TARGETS + 1))]
        self.down = set()
        self.over = threading.Event()
        self.writers = []
        for target in self.targets:
            for volume in self.r.sample(self.volumes, self.r.randrange(1, len(self.volumes) + 1)):
                target.units.append(volume.unit(self.free(target)))

    def say(self, *words):
        self.story.append(" ".join(map(str, words)))

    def free(self, target):
        return self.r.choice([lun for lun in range(LUNS) if address(lun) not in [u.address for u in target.units]])

    def tell(self, target, lun, sense):
        target.attention(lun, sense)

    # -- what becomes of the array ---------------------------------------------------------------------------------------

    def map(self, target):
        absent = [v for v in self.volumes if v not in [u.volume for u in target.units]]
        if absent:
            unit = self.r.choice(absent).unit(self.free(target))
            target.units.append(unit)
            self.say("map", unit.name, "at", target.name, unit.lun)
            self.tell(target, unit.lun, CHANGED)
            self.tell(target, target.units[0].lun, CHANGED)

    def unmap(self, target):
        if len(target.units) > 1:
            unit = self.r.choice(target.units)
            target.units.remove(unit)
            self.say("unmap", unit.name, "at", target.name, unit.lun)
            if self.r.random() < 0.5:
                self.tell(target, target.units[0].lun, CHANGED)

    def show(self, target, old, volume):
        """Another volume stands at this LUN from now on: each nexus is told with its next command."""
        new = volume.unit(old.lun)
        self.tell(target, old.lun, CHANGED)
        target.units[target.units.index(old)] = new
        self.say("show", new.name, "at", target.name, old.lun, "instead of", old.name)

    def swap(self, target):
        if len(target.units) > 1:
            one, other = self.r.sample(target.units, 2)
            self.show(target, one, other.volume)
            self.show(target, other, one.volume)

    def replace(self, target):
        absent = [v for v in self.volumes if v not in [u.volume for u in target.units]]
        if absent and target.units:
            self.show(target, self.r.choice(target.units), self.r.choice(absent))

    def grow(self, _target):
        volume = self.r.choice(self.volumes)
        volume.blocks += 1024
        self.say("grow", volume.name)
        for target in self.targets:
            for unit in target.units:
                if unit.volume is volume:
                    unit.blocks = volume.blocks
                    self.tell(target, unit.lun, RESIZED)

    def fail(self, target):
        if target in self.down:
            self.down.remove(target)
            target.again()
            self.say("up", target.name)
        else:
            self.down.add(target)
            target.stop()
            self.say("down", target.name)

    def reset(self, target):
        target.hang_up(True)
        self.say("reset", target.name)

    # -- what the administrator does -------------------------------------------------------------------------------------

    def ask(self, op, **args):
        try:
            self.made.request(op, ASKED_S, **args)
            self.say(op, args)
        except Refused as e:
            self.say(op, args, "refused:", e)

    def scan(self, _target):
        self.ask("scan")
        self.ask("device.install")

    def logout(self, _target):
        self.ask("session.logout", instance=self.r.randrange(len(self.targets)), force=self.r.random() < 0.5)

    def remove(self, _target):
        disk = self.r.choice(self.made.tree("disk") or [None])
        if disk is not None:
            self.ask("device.remove", hw_path=disk["hw_path"], force=self.r.random() < 0.5)

    def crash(self, _target):
        """The driver dies, and the array goes on; its disks wait for the next one."""
        self.made.driver.kill(signal.SIGKILL)
        self.say("the driver is killed")
        for _ in range(self.r.randrange(3)):
            self.r.choice(self.ARRAY)(self, self.r.choice(self.targets))
        self.made.restart_driver()
        self.say("the next one runs")

    ARRAY = (map, map, unmap, swap, replace, grow, fail, fail, reset)
    PEOPLE = (scan, scan, logout, remove)

    def move(self):
        """Somewhere between two moves all is quiet, or not."""
        act = self.r.choice(self.ARRAY + self.PEOPLE + (World.crash,) * 2 * bool(self.made.holder))
        act(self, self.r.choice(self.targets))
        field.pause(self.r.choice((0, 0, 0.05, 0.3)))

    # -- users -----------------------------------------------------------------------------------------------------------

    def disks(self, volume):
        """Those that are this volume's now."""
        try:
            return {d["hw_path"]: d["file"] for d in self.made.tree("disk")
                    if d.get("file") and d.get("designator") == volume.designator and d["sw_state"] == "CLAIMED"}
        except (OSError, Refused, proc.Failed):
            return {}

    @contextlib.contextmanager
    def opened(self, volume):
        """A path to one of its disks, or None: what was opened is that if the disk is still there, and is the volume's, by this name."""
        fd = None
        for place, file in self.disks(volume).items():
            try:
                fd = os.open(file, os.O_RDWR | os.O_DIRECT)
                if self.disks(volume).get(place) == file and os.path.samestat(os.fstat(fd), os.stat(file)):
                    break
            except OSError:
                pass
            if fd is not None:
                self.close(fd)
                fd = None
        try:
            yield None if fd is None else "/proc/self/fd/%d" % fd
        finally:
            if fd is not None:
                self.close(fd)

    @staticmethod
    def close(fd):
        with contextlib.suppress(OSError):
            os.close(fd)

    # -- how it is in the end --------------------------------------------------------------------------------------------

    def heal(self):
        for target in self.targets:
            if target in self.down:
                self.fail(target)
        self.scan(None)  # who was logged out is back
        proc.wait_for("the sessions", lambda: all(s["state"] == "online" for s in self.sessions()), limit=REST_S)
        # What is removed was perhaps what others were paths to.
        for _ in range(2 * VOLUMES):
            self.scan(None)
            wrong = [n for n in self.made.tree("disk") if n["sw_state"] != "CLAIMED" or "other paths" in n.get("note", "")]
            for node in wrong:
                # Of a disk that a driver before this one had, whose unit has not come again, it cannot be told whether it is in use.
                self.ask("device.remove", hw_path=node["hw_path"], force=bool(self.made.holder))
            if not wrong:
                break

    def sessions(self):
        return self.made.request("session.list")["sessions"]

    def paths(self):
        """Those that serve; one whose LUN is gone is waited for."""
        units = json.loads(self.made.command("iscsiutil", "-m", "--json").out)["units"]
        return {u["name"]: sorted((p["target_name"], p["lun"]) for p in u["paths"] if p["used"]) for u in units}

    def stands(self):
        """What may not change by itself."""
        return (sorted((s["target_name"], s["connections"][0]["local"]) for s in self.sessions()), self.paths(),
                sorted((n["hw_path"], n["class"], n["sw_state"]) for n in self.made.tree() if n["class"] in ("disk", "lunpath")))

    def wrong(self):
        """What is not as it has to be yet."""
        shown = {}
        for target in self.targets:
            for unit in target.units:
                shown.setdefault(unit.volume.designator, []).append((target.name, unit.lun))
        nodes = [n for n in self.made.tree() if n["class"] in ("disk", "lunpath")]
        disks = [n for n in nodes if n["class"] == "disk" and n["sw_state"] == "CLAIMED"]
        found = sorted(n["designator"] for n in disks if "file" in n)
        if found != sorted(shown) or len(found) != len(disks):
            return "disks", [(n["hw_path"], n.get("serial"), n["sw_state"], n.get("note")) for n in nodes], {v.designator: v.name for v in self.volumes}
        paths = self.paths()
        for disk in disks:
            name = os.path.basename(disk["file"])
            apart = [(n["target_name"], n["lun"]) for n in nodes
                     if n["sw_state"] == "UNCLAIMED" and "another thread" in n.get("note", "") and n.get("designator") == disk["designator"]]
            if sorted(paths[name] + apart) != sorted(shown[disk["designator"]]):
                return "paths of " + name, paths[name], apart, sorted(shown[disk["designator"]]), self.made.command("iscsiutil", "-m").out
        return None

    def check(self):
        last = []
        with contextlib.suppress(proc.Failed):
            proc.wait_for("all paths", lambda: last.append(self.wrong()) or last[-1] is None, limit=REST_S, every=0.1)
        assert last[-1] is None, last[-1]
        before = self.stands()
        self.made.request("scan", ASKED_S)
        self.made.request("scan", ASKED_S)
        assert self.stands() == before, ("it does not rest", before, self.stands())
        for volume in self.volumes:
            if volume in [u.volume for target in self.targets for u in target.units]:
                with self.opened(volume) as path:
                    assert path is not None, volume.name
                    size = os.lseek(int(os.path.basename(path)), 0, os.SEEK_END)
                    assert size == volume.blocks * 512, (volume.name, size, volume.blocks * 512)
                    self.is_through(path, volume.name)
                    assert volume.disk.read(0, len(volume.name)) == volume.name.encode()


    @staticmethod
    def is_through(path, text):
        """Where a session was logged out that nobody could tell, writes wait until the target has surely forgotten it."""
        proc.wait_for("a write to " + text, lambda: field.write(path, 0, field.block(text + ":0 ")).wait(20).error is None, limit=REST_S)


class Writer(threading.Thread):
    """Of one volume, wherever it is found."""

    def __init__(self, world, volume):
        super().__init__(daemon=True)
        self.world, self.volume, self.number, self.done, self.wrong = world, volume, 0, 0, None
        self.last = {}  # block -> what may be there
        self.start()

    def run(self):
        while not self.world.over.is_set():
            with self.world.opened(self.volume) as path:
                while path is not None and not self.world.over.is_set() and self.one(path):
                    pass
            self.world.over.wait(0.02)

    def one(self, path):
        self.number += 1
        block = 1 + self.number % 64
        text = field.block("%s:%d " % (self.volume.name, self.number))
        io = field.write(path, block * field.BLOCK, text)
        io.join(ASKED_S)
        if io.is_alive():
            self.wrong = "a write to %s hangs" % self.volume.name
        if io.is_alive() or io.error:
            self.last.setdefault(block, {bytes(field.BLOCK)}).add(text)
            return False
        self.last[block] = {text}
        self.done += 1
        io = field.read(path, block * field.BLOCK)
        io.join(ASKED_S)
        if not io.error and not io.is_alive() and io.got != text:
            self.wrong = "%s at %d: %r is there, not %r" % (self.volume.name, block, io.got[:16], text[:16])
        return not io.error and not io.is_alive()

    def check(self):
        assert self.wrong is None, self.wrong
        for block in range(1, 65):
            got = self.volume.disk.read(block * field.BLOCK, field.BLOCK)
            assert got in self.last.get(block, {bytes(field.BLOCK)}), (self.volume.name, block, got[:24], [t[:24] for t in self.last.get(block, ())])


@contextlib.contextmanager
def mapped(t, *lists):
    """An initiator, and a target for each list of (LUN, volume), which was scanned; device files are made."""
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(FieldTarget([v.unit(lun) for lun, v in units], name=PREFIX + str(k))) for k, units in enumerate(lists)]
        made = stack.enter_context(field.world(t, *targets))
        made.request("device.install", ASKED_S)
        yield made, targets


def show(target, lun, volume):
    """From now on, and each nexus is told."""
    target.units[:] = [u for u in target.units if u.lun != lun] + ([volume.unit(lun)] if volume else [])
    for unit in target.units:
        target.attention(unit.lun, CHANGED)


def named(made, klass):
    return sorted((n["target_name"][-1], n["lun"], n["serial"][1:], n["sw_state"]) for n in made.tree(klass))


def is_through(made, volume, text):
    """What is written to the volume's disk is there.  Its file may be made yet."""
    disk, = proc.wait_for("its file", lambda: [d for d in made.tree("disk") if d["serial"] == "S" + volume.name and "file" in d])
    field.write(disk["file"], 0, field.block(text)).good(20)
    assert volume.disk.read(0, len(text)) == text.encode()


def moves(t):
    a, b, c = (Volume(k) for k in range(3))
    with t.case("a disk was removed whose LUN shows another disk's unit now: it is a path to that one, and no second disk", 60):
        with mapped(t, [(0, a)], [(0, b)]) as (made, targets):
            show(targets[1], 0, a)
            made.request("scan", ASKED_S)
            assert named(made, "disk") == [("0", 0, "v0", "CLAIMED"), ("1", 0, "v0", "UNCLAIMED")], made.tree()
            removed, = [d for d in made.tree("disk") if d["sw_state"] == "UNCLAIMED"]
            made.request("device.remove", hw_path=removed["hw_path"])
            # Whoever took the block device away may have had the file for a moment.
            proc.wait_for("one disk", lambda: made.request("scan", ASKED_S) and named(made, "disk") == [("0", 0, "v0", "CLAIMED")])
            proc.wait_for("its path", lambda: named(made, "lunpath") == [("1", 0, "v0", "CLAIMED")])
            is_through(made, a, "one ")
    with t.case("the same while somebody still has the old one open: it stays what it was, and gets no I/O, until that is over", 60):
        with mapped(t, [(0, a)], [(0, b)]) as (made, targets):
            old, = [d for d in made.tree("disk") if d["serial"] == "Sv1"]
            made.request("device.remove", hw_path=old["hw_path"])
            with open(old["file"], "rb"):
                show(targets[1], 0, a)
                made.request("scan", ASKED_S)
                assert ("1", 0, "v0", "UNCLAIMED") in named(made, "disk") and not made.tree("lunpath"), made.tree()
                assert field.write(old["file"], 0, field.block("no ")).wait(20).error is not None
            made.request("scan", ASKED_S)
            # It may be on its way to the other one's thread since a look of its own.
            proc.wait_for("its path", lambda: named(made, "lunpath") == [("1", 0, "v0", "CLAIMED")])
            assert a.disk.read(0, 2) != b"no"
    with t.case("another unit comes to a disk's own LUN: it goes on over its other path, is still the disk, and says so", 60):
        with mapped(t, [(0, a)], [(3, a)]) as (made, targets):
            home = next(k for k, target in enumerate(targets) if made.tree("disk")[0]["target_name"] == target.name)
            show(targets[home], 3 * home, c)
            made.request("scan", ASKED_S)
            disk, = made.tree("disk")
            assert disk["sw_state"] == "CLAIMED" and disk["serial"] == "Sv0" and "goes on over its other paths" in disk["note"], disk
            is_through(made, a, "two ")
            show(targets[home], 3 * home, None)
            made.request("scan", ASKED_S)
            assert made.tree("disk")[0]["sw_state"] == "CLAIMED", made.tree("disk")
            is_through(made, a, "three ")
            show(targets[home], 3 * home, a)
            made.request("scan", ASKED_S)
            assert "note" not in made.tree("disk")[0]
            is_through(made, a, "four ")
            assert c.disk.read(0, 4096) == bytes(4096)
    with t.case("a disk is what stands at its LUN once its device files are removed, and a path to what it was is the disk of that, without a scan", 60):
        d = Volume(3)
        with mapped(t, [(0, a)], [(3, a)]) as (made, targets):
            home = next(k for k, target in enumerate(targets) if made.tree("disk")[0]["target_name"] == target.name)
            show(targets[home], 3 * home, d)
            made.request("scan", ASKED_S)
            made.request("device.remove", hw_path=made.tree("disk")[0]["hw_path"])
            for connection in targets[home].online():
                connection.event(0, CHANGED)  # its session alone is looked at
            expected = sorted([(str(home), 3 * home, "v3", "CLAIMED"), (str(1 - home), 3 - 3 * home, "v0", "CLAIMED")])
            proc.wait_for("both disks", lambda: named(made, "disk") == expected, limit=REST_S)
            is_through(made, a, "six ")
            is_through(made, d, "seven ")
    with t.case("a unit that is found at another LUN while another one stands at its disk's own: the disk has it again", 60):
        for elsewhere in (1, 2):
            with mapped(t, [(0, b)], [(2, a)], []) as (made, targets):
                show(targets[1], 2, c)
                show(targets[elsewhere], 5, a)
                made.request("scan", ASKED_S)
                made.request("scan", ASKED_S)
                assert [n[:3] for n in named(made, "disk") if n[2] == "v0" and n[3] == "CLAIMED"] == [("1", 2, "v0")], made.tree()
                is_through(made, a, "five%d " % elsewhere)
                assert c.disk.read(0, 4096) == bytes(4096)


def one_world(t, seed):
    with t.case("seed %d: each write is on its volume, and in the end each volume is one disk, with the paths that lead to it" % seed, 240):
        with contextlib.ExitStack() as stack:
            # In every second one disks outlive their driver.
            made = stack.enter_context(field.initiator(t, held=seed % 2 == 0, ReplacementTimeout=3))
            world = World(seed, stack, made)
            made.discover(*world.targets)
            made.request("device.install", ASKED_S)
            writers = [Writer(world, v) for v in world.volumes]
            try:
                for _ in range(MOVES):
                    world.move()
                world.over.set()
                for writer in writers:
                    writer.join(2 * ASKED_S)
                world.heal()
                for writer in writers:
                    writer.check()
                world.check()
                t.comment("seed %d: %d writes, %d of %d volumes" % (seed, sum(w.done for w in writers), sum(w.done > 0 for w in writers), len(writers)))
                assert made.driver.alive()
            except BaseException:
                t.comment("seed %d: %s" % (seed, "; ".join(world.story)))
                raise
            finally:
                world.over.set()


def main():
    first = int(os.environ.get("OPENISW_ARRAYS_SEED", "1"))
    with tap.script() as t:
        if "OPENISW_ARRAYS_SEED" not in os.environ:
            moves(t)
        for seed in range(first, first + int(os.environ.get("OPENISW_ARRAYS_WORLDS", "3"))):
            one_world(t, seed)


main()
