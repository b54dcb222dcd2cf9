"""The sockets of NBD outlive their driver: whoever connects while there is none waits for the next one, and is served, or told."""
import contextlib
import os
import shutil
import signal
import threading

import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Initiator, have_fuse
from nbdclient import Client, Ended, connect

TIMEOUT = 5


class Knock(threading.Thread):
    """Who is connected, and then reads the first block: got is its bytes, or how it failed."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.got = path, None
        self.s = connect(path)
        self.start()

    def run(self):
        try:
            with Client(self.path, self.s) as c:
                self.got = c.read(0, 512)
        except (Ended, OSError) as e:
            self.got = type(e).__name__

    def ends(self, limit=20):
        self.join(limit)
        assert not self.is_alive(), "who connected still waits"
        return self.got


@contextlib.contextmanager
def disks(t, name, luns=2):
    """(target, initiator, the path of LUN 0), each LUN with its number in the first block."""
    units = [Unit(lun, "unit-%d" % lun) for lun in range(luns)]
    with FieldTarget(units) as target, Initiator(name, held=True) as made:
        t.show_on_failure(made)
        made.command("iscsiutil", "-t", "ReplacementTimeout", TIMEOUT)
        for lun in range(luns):
            target.unit(lun).disk.write(0, mark(lun))
        made.command("iscsiutil", "-t", "Exporter", "nbd")
        made.discover(target)
        made.command("insf", "-H", "255")
        yield target, made, socket_of(made, 0)


def mark(lun):
    return b"%08d" % lun * 64


def socket_of(made, lun):
    return proc.wait_for("the socket of LUN %d" % lun, lambda: made.disk("field", lun).get("nbd"), limit=10)


def killed(made):
    made.driver.kill(signal.SIGKILL)
    proc.wait_for("the driver to be dead", lambda: not made.driver.alive())


def main():
    with tap.script() as t:
        with disks(t, "nbdheld") as (target, made, path):
            file = os.stat(path).st_ino
            with t.case("whoever connects while the driver is dead is served by the next one, without a command"):
                for _ in range(3):
                    killed(made)
                    early = [Knock(socket_of_dead(path, lun)) for lun in (0, 1, 0, 1)]
                    made.restart_driver()
                    assert [k.ends() for k in early] == [mark(lun) for lun in (0, 1, 0, 1)], [k.got for k in early]
                    assert os.stat(path).st_ino == file
            with t.case("who is served after it is a user like any other"):
                with Client(path) as c:
                    assert made.command("rmsf", os.path.basename(path), ok=None).code == 8
                    assert c.write(512, mark(7)) == 0 and c.read(512, 512) == mark(7)
                proc.wait_for("nobody to use it", lambda: not made.disk("field", 0)["in_use"])
            with t.case("a driver that hands over on purpose leaves its sockets, too"):
                over = made.command("iscsi_driverd", "--hand-over", ok=None)
                if over.code:
                    assert "sockets" not in over.err, over
                    killed(made)
                proc.wait_for("the driver to end", lambda: not made.driver.alive())
                early = Knock(path)
                made.restart_driver()
                assert early.ends() == mark(0), early.got
                assert os.stat(path).st_ino == file
            with t.case("the holder may be replaced meanwhile, and still has them"):
                made.holder.kill(signal.SIGKILL)
                made.start_holder()
                proc.wait_for("the driver to have a holder", made.has_holder)
                killed(made)
                early = Knock(path)
                made.restart_driver()
                assert early.ends() == mark(0), early.got
            with t.case("where the unit does not come back, who waits is told within ReplacementTimeout"):
                killed(made)
                target.stop()
                early = Knock(path)
                made.restart_driver()
                assert os.path.lexists(path)  # more of them may come to wait
                assert early.ends(TIMEOUT + 15) in ("Ended", "ConnectionResetError"), early.got
                target.again()
                made.request("scan")
                assert Knock(socket_of(made, 0)).ends() == mark(0)
            with t.case("a disk that was removed keeps nobody waiting, and its socket is gone"):
                made.command("rmsf", os.path.basename(socket_of(made, 1)))
                for s in made.request("session.list")["sessions"]:
                    made.request("session.logout", instance=s["instance"])
                assert not os.path.lexists(path)
                made.request("scan")
                assert Knock(socket_of(made, 0)).ends() == mark(0)
            with t.case("where disks are files by now, who waits at a socket is told"):
                if not have_fuse():
                    raise tap.Skip("no /dev/fuse here")
                made.command("iscsiutil", "-t", "ReplacementTimeout", 600)  # that is not what it waits for
                made.command("iscsiutil", "-t", "Exporter", "fuse")
                killed(made)
                early = Knock(path)
                made.restart_driver()
                assert early.ends() in ("Ended", "ConnectionResetError"), early.got
                proc.wait_for("the file", lambda: made.disk("field", 0).get("rdsk"))
            with t.case("a driver that is stopped leaves no socket"):
                made.command("iscsiutil", "-t", "Exporter", "nbd")
                for s in made.request("session.list")["sessions"]:
                    made.request("session.logout", instance=s["instance"])
                made.request("scan")
                at = os.path.realpath(socket_of(made, 0))
                made.command("iscsi_driverd", "--stop")
                proc.wait_for("the driver to end", lambda: not made.driver.alive())
                assert not os.path.exists(at)
        strangers(t)


def strangers(t):
    with disks(t, "stranger", luns=1) as (target, made, path):
        with t.case("where another unit stands at the place, who waits is told, and never served by it"):
            killed(made)
            early = Knock(path)
            target.units[0] = Unit(0, "stranger")
            target.unit(0).disk.write(0, mark(9))
            made.restart_driver()
            assert early.ends(TIMEOUT + 15) in ("Ended", "ConnectionResetError"), early.got
    with disks(t, "removed", luns=1) as (target, made, path):
        with t.case("where the directory of sockets was taken away meanwhile, the next driver makes it anew"):
            killed(made)
            early = Knock(path)
            shutil.rmtree(os.path.dirname(os.path.realpath(path)))
            made.restart_driver()
            assert early.ends(TIMEOUT + 15) in ("Ended", "ConnectionResetError"), early.got
            made.request("scan")
            assert Knock(socket_of(made, 0)).ends() == mark(0)


def socket_of_dead(path, lun):
    return path[:-1] + str(lun)


main()
