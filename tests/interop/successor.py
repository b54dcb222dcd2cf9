"""A driver that goes on with another one's disks: whose unit it is, what it waits for, and what it gives back."""
import contextlib
import errno
import os
import random
import signal
import threading

import box
import field
import proc
import tap
from fieldtgt import SILENT, FieldTarget
from fieldunit import INQUIRY, REPORT_LUNS, WRITES, Unit, address, check
from initiator import Initiator, own_fuse

TIMEOUT = 5
USER = "nobody"


class Held(threading.Thread):
    """A write that is under way when the driver is killed, on a descriptor that stays open."""

    def __init__(self, fd, data):
        super().__init__(daemon=True)
        self.fd, self.data, self.error = fd, data, None
        self.start()

    def run(self):
        self.error = again(self.fd, self.data)

    def ends(self, limit, *errors):
        self.join(limit)
        assert not self.is_alive(), "the write hangs"
        assert self.error in (errors or (None,)), self.error


def again(fd, data):
    """None, or the name of an errno."""
    with field.mmap.mmap(-1, len(data)) as buffer:
        buffer[:] = data
        try:
            os.pwritev(fd, [buffer], 0)
        except OSError as e:
            return errno.errorcode[e.errno]
    return None


@contextlib.contextmanager
def orphaned(t, is_installed=True):
    """(target, initiator, fd, the write under way): the driver is dead, and the target has taken nothing."""
    with contextlib.ExitStack() as last:
        target = last.enter_context(FieldTarget([Unit(0, "mine"), Unit(1, "beside")]))
        with field.world(t, target, held=True, ReplacementTimeout=TIMEOUT) as made:
            path = field.path(made, 0)
            if is_installed:
                made.command("insf", "-H", "255")
            # From its first close on the kernel tells of none: else each program that this one starts, which closes
            # what it inherits, would wait for the driver that it is to be.
            os.close(os.open(path, os.O_RDONLY))
            fd = os.open(path, os.O_RDWR | os.O_DIRECT)
            # When nobody serves it any more: else it might wait for ever.
            last.callback(os.close, fd)
            target.on_command = lambda c: SILENT if c.opcode in WRITES else None
            held = Held(fd, field.block("W"))
            proc.wait_for("the write to reach the target", lambda: target.commands(WRITES))
            made.driver.kill(signal.SIGKILL)
            target.on_command = lambda c: None
            yield target, made, fd, held


def same_unit(t):
    with t.case("the right unit: the write that was under way is executed once more, and ends well"):
        with orphaned(t) as (target, made, fd, held):
            made.restart_driver()
            held.ends(10)
            assert target.unit(0).disk.read(0, 4096) == field.block("W")
            assert again(fd, field.block("X")) is None
            assert made.disk("field", 0)["sw_state"] == "CLAIMED"


def other_unit(t):
    with t.case("another unit stands there: it gets nothing, users have errors in time, and go on when theirs is back", 60):
        with orphaned(t) as (target, made, fd, held):
            mine, other = target.unit(0), Unit(0, "other")
            target.units[0] = other
            made.restart_driver()
            held.ends(TIMEOUT + 5, "EIO")
            made.request("scan", 60)
            assert again(fd, field.block("X")) == "EIO"
            assert not other.disk.chunks, "the other unit holds %r" % other.disk.read(0, 16)
            target.units[0] = mine
            made.request("scan", 60)
            assert again(fd, field.block("Y")) is None
            assert mine.disk.read(0, 4096) == field.block("Y") and not other.disk.chunks
    with t.case("the same of a disk that is not installed: whoever has it open has lost it"):
        with orphaned(t, is_installed=False) as (target, made, fd, held):
            other = target.units[0] = Unit(0, "other")
            made.restart_driver()
            held.ends(10, "ENXIO")
            proc.wait_for("the other unit to be shown", lambda: made.disk("field", 0)["sw_state"] == "CLAIMED")
            assert again(fd, field.block("X")) == "ENXIO"
            assert not other.disk.chunks
            field.write(field.path(made, 0), 0, field.block("Z")).good(10)
            assert other.disk.read(0, 4096) == field.block("Z")


def no_target(t):
    with t.case("no target: as long as for a session that is lost, then errors; back, all goes on", limit=90):
        with orphaned(t) as (target, made, fd, held):
            target.stop()
            made.restart_driver()
            field.pause(TIMEOUT - 2)
            assert held.is_alive(), held.error
            held.ends(10, "EIO")
            assert again(fd, field.block("X")) == "EIO"
            busy = made.command("iscsi_driverd", "--stop", ok=(8,))
            assert "c0t0d0" in busy.err, busy
            target.again()
            field.wait_online(made, limit=60)
            proc.wait_for("the disk to go on", lambda: again(fd, field.block("Y")) is None)
            assert target.unit(0).disk.read(0, 4096) == field.block("Y")
    with t.case("no unit: the same, and its neighbour is served meanwhile", limit=60):
        with orphaned(t) as (target, made, fd, held):
            mine = target.units.pop(0)
            made.restart_driver()
            field.write(field.path(made, 1), 0, field.block("N")).good(10)
            held.ends(TIMEOUT + 5, "EIO")
            target.units.insert(0, mine)
            made.request("scan", 60)
            assert again(fd, field.block("Y")) is None


def stopped(t):
    with t.case("the next driver is stopped by force before the target is back: users have errors, not silence"):
        with orphaned(t) as (target, made, fd, held):
            target.stop()
            made.restart_driver()
            made.command("iscsi_driverd", "--stop", "--force")
            held.ends(10, "ENOTCONN", "EIO", "ESHUTDOWN")


def lost_power(t):
    with t.case("the target lost its power while there was no driver: a flush says so, once"):
        with orphaned(t) as (target, made, fd, held):
            target.unit(0).has_write_cache = True
            said = []

            def power_on(c):
                if c.lun != address(0) or c.opcode in (INQUIRY, REPORT_LUNS) or said:
                    return None
                said.append(c.opcode)
                return check(6, 0x29, 1)
            target.on_command = power_on
            made.restart_driver()
            held.ends(10)
            # The write that was re-sent came after it, and is there; those of before may be lost.
            try:
                os.fsync(fd)
            except OSError as e:
                assert e.errno == errno.EIO, e
            else:
                raise AssertionError("a flush went well, after a loss")
            os.fsync(fd)
            assert any("c0t0d0" in line and "from before this program started" in line for line in made.tail())


def heard_before(t):
    with t.case("the driver heard of a loss and was killed before a flush could say so: the next one's says so, once"):
        with FieldTarget([Unit(0)]) as target, field.world(t, target, held=True) as made:
            unit = target.unit(0)
            unit.has_write_cache = True
            made.command("insf", "-H", "255")
            made.request("scan", 60)
            fd = os.open(field.path(made, 0), os.O_RDWR | os.O_DIRECT)
            try:
                for turn in range(2):
                    assert again(fd, field.block("W")) is None
                    said = []
                    target.on_command = lambda c, said=said: None if said or c.opcode not in WRITES else said.append(1) or check(6, 0x29, 1)
                    assert again(fd, field.block("X")) is None
                    assert said and any("the next flush fails" in line for line in made.tail())
                    for _ in range(turn + 1):
                        made.driver.kill(signal.SIGKILL)
                        made.restart_driver()
                        assert again(fd, field.block("Y")) is None
                    try:
                        os.fsync(fd)
                    except OSError as e:
                        assert e.errno == errno.EIO, e
                    else:
                        raise AssertionError("a flush went well, after a loss")
                    os.fsync(fd)
                    made.driver.kill(signal.SIGKILL)
                    made.restart_driver()
                    os.fsync(fd)
            finally:
                os.close(fd)


def hand_over(made):
    made.command("iscsi_driverd", "--hand-over")
    proc.wait_for("the driver to end", lambda: not made.driver.alive())
    made.restart_driver()


def kill_both(made):
    made.holder.kill(signal.SIGKILL)
    made.start_holder()
    proc.wait_for("the holder to have everything again", made.has_holder)
    made.driver.kill(signal.SIGKILL)
    made.restart_driver()


def loss_is_due(t):
    with FieldTarget([Unit(0)]) as target, field.world(t, target, held=True) as made:
        target.unit(0).has_write_cache = True
        made.command("insf", "-H", "255")
        made.request("scan", 60)
        fd = os.open(field.path(made, 0), os.O_RDWR | os.O_DIRECT)
        for name, event in (("the driver is handed over", hand_over), ("the session logs in anew", lambda m: m.command("iscsiutil", "--relogin")),
                            ("the holder is killed, then the driver", kill_both)):
            with t.case("a loss is due, and %s: the next flush tells of it, once" % name, limit=60):
                assert again(fd, field.block("W")) is None
                said = []
                target.on_command = lambda c, said=said: None if said or c.opcode not in WRITES else said.append(1) or check(6, 0x29, 1)
                assert again(fd, field.block("X")) is None and said
                event(made)
                assert again(fd, field.block("Y")) is None
                try:
                    os.fsync(fd)
                except OSError as e:
                    assert e.errno == errno.EIO, e
                else:
                    raise AssertionError("a flush went well, after a loss")
                os.fsync(fd)
        os.close(fd)


def ordinary_user(t):
    with t.case("an ordinary user's disks outlive his driver, too", limit=120):
        if os.geteuid() != 0 or not box.isolated() or proc.run("true", user=USER, ok=None).code != 0:
            raise tap.Skip("it needs root, to become somebody else")
        own_fuse()
        with FieldTarget([Unit(0)]) as target, Initiator("user-root", user=USER, held=True) as made:
            t.show_on_failure(made)
            made.discover(target)
            made.command("insf", "-H", "255")
            source, n = os.path.join(made.root, "source"), 16 << 20
            with open(source, "wb") as f:
                f.write(random.Random(1).randbytes(n))
            os.chmod(source, 0o644)
            path = made.disk("field", 0)["rdsk"]
            writer = proc.Daemon("dd", "if=" + source, "of=" + path, "bs=4096", "oflag=direct", "conv=notrunc,nocreat",
                                 log=made.log, user=USER)
            with writer:
                for share in (1, 2, 3):
                    # Of more than four thousand: he is at it for much longer than this takes.
                    proc.wait_for("some more to be written", lambda share=share: len(target.commands(WRITES)) > 100 * share)
                    assert writer.alive(), "it was over too soon"
                    made.driver.kill(signal.SIGKILL)
                    made.restart_driver()
                proc.wait_for("all to be written", lambda: not writer.alive(), limit=60)
                assert writer.process.returncode == 0
            with open(source, "rb") as f:
                assert target.unit(0).disk.read(0, n) == f.read()


def main():
    with tap.script() as t:
        same_unit(t)
        other_unit(t)
        no_target(t)
        stopped(t)
        lost_power(t)
        heard_before(t)
        loss_is_due(t)
        ordinary_user(t)


main()
