"""The registry's disk hangs, is full, or another program writes to the file: nobody else waits, and nothing is promised."""
import contextlib
import os
import sqlite3
import threading

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Initiator, Refused
from slowdisk import SlowDisk

AT_ONCE = 2  # seconds: for what needs no disk
KEY = {"key": "NOPInterval"}


class Asking(threading.Thread):
    """An operation in a thread of its own; .answer is the result or the error."""

    def __init__(self, made, op, **args):
        super().__init__(daemon=True)
        self.made, self.op, self.args, self.answer = made, op, args, None
        self.start()

    def run(self):
        try:
            self.answer = self.made.request(self.op, 60, **self.args)
        except (Refused, OSError, proc.Failed) as e:
            self.answer = e

    def good(self, limit):
        self.join(limit)
        assert not self.is_alive(), "%s has no answer" % self.op
        assert not isinstance(self.answer, Exception), self.answer


def interval(made):
    return made.request("initiator.get", limit=AT_ONCE)["timers"]["NOPInterval"]["seconds"]


def state(made):
    return made.request("driver.status", limit=AT_ONCE)["registry"]


def wait_kept(made):
    proc.wait_for("the registry to be written", lambda: state(made)["kept"], limit=40)


@contextlib.contextmanager
def initiator_on(t, disk):
    with contextlib.ExitStack() as stack:
        with disk.under():
            made = stack.enter_context(field.initiator(t))
        try:
            yield made
        finally:
            disk.go_on()


def has_left(made, instance):
    """The kernel tells a little later that who wrote has closed the file."""
    try:
        made.request("session.logout", limit=5, instance=instance)
    except Refused as e:
        assert e.error["code"] == "BUSY", e
        return False
    return True


def hanging(t):
    with t.case("the registry's disk hangs: looks, scans, logins, I/O and logouts go on; a change waits, and then it is kept"):
        disk = SlowDisk()
        with FieldTarget([Unit(0), Unit(1, "B")]) as target, initiator_on(t, disk) as made:
            disk.hang()
            made.command("iscsiutil", "-p", "-D", limit=AT_ONCE)
            change = Asking(made, "discovery.add", address=target.host, port=target.port)
            field.pause(0.3)
            assert change.is_alive(), "it was answered before it was kept: %s" % change.answer
            made.request("scan", limit=5)
            path = field.path(made)
            field.write(path, 0, field.block("x")).good(AT_ONCE)
            assert not state(made)["kept"]
            target.hang_up()
            field.write(path, 0, field.block("y")).good(5)
            instance = made.request("session.list", limit=AT_ONCE)["sessions"][0]["instance"]
            proc.wait_for("the logout", lambda: has_left(made, instance))
            assert change.is_alive(), "it was answered before it was kept: %s" % change.answer
            disk.go_on()
            change.good(5)
            wait_kept(made)
    with t.case("killed while a change waits for the disk: it is there or not; what was answered is there"):
        disk = SlowDisk()
        with initiator_on(t, disk) as made:
            made.request("keys.set", values="20", **KEY)
            disk.hang()
            change = Asking(made, "keys.set", values="30", **KEY)
            field.pause(0.3)
            assert change.is_alive(), change.answer
            made.driver.kill()
            change.join(5)
            disk.go_on()
            made.restart_driver()
            assert interval(made) in (20, 30), interval(made)
    with t.case("more changes than may wait: they are refused, what changes nothing is not", 90):
        disk = SlowDisk()
        with initiator_on(t, disk) as made:
            disk.hang()
            waiting = [Asking(made, "discovery.add", address="192.0.2.1", port=20000 + k) for k in range(48)]
            proc.wait_for("some to be refused", lambda: sum(not w.is_alive() for w in waiting) >= 48 - 32)
            refused = [w.answer for w in waiting if not w.is_alive()]
            assert all(isinstance(r, Refused) and r.error["code"] == "BUSY" for r in refused), refused
            assert "does not answer" in refused[0].error["message"], refused[0]
            made.request("session.list", limit=AT_ONCE)
            disk.go_on()
            for w in waiting:
                w.join(10)
            added = {w.args["port"] for w in waiting if not isinstance(w.answer, Exception)}
            known = {d["port"] for d in made.request("discovery.list")["targets"]}
            assert known == added, (known ^ added)


def stopped(t):
    with t.case("stopped while changes wait for the disk: the end writes them"):
        disk = SlowDisk()
        with FieldTarget() as target, initiator_on(t, disk) as made:
            made.request("discovery.add", address=target.host, port=target.port)
            disk.hang()
            made.request("scan", limit=5)
            before = [(n["hw_path"], n["instance"]) for n in made.tree()]
            threading.Timer(1, disk.go_on).start()
            made.stop()
            made.start()
            assert [(n["hw_path"], n["instance"]) for n in made.tree()] == before or made.request("scan")
            assert [(n["hw_path"], n["instance"]) for n in made.tree()] == before


@contextlib.contextmanager
def small_disk(name):
    """The registry's directory of the initiator of this name is a file system of its own, of 1 MiB."""
    if not box.isolated():
        raise tap.Skip("mounting needs a namespace of our own")
    where = os.path.join(box.directory(), name, "var", "lib", "openisw")
    os.makedirs(where)
    proc.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", where)
    try:
        yield os.path.join(where, "ballast")
    finally:
        proc.run("umount", where)


def fill(ballast):
    with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(bytes(4096)) == 4096:
            pass


def full(t):
    with t.case("the registry's disk is full: a change is refused and taken back, what is found is used; later all is kept", 120):
        with small_disk("small") as ballast, FieldTarget() as target, Initiator("small") as made:
            t.show_on_failure(made)
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            made.request("keys.set", values="20", **KEY)
            fill(ballast)
            try:
                for k in range(500):  # until no page is left in its log
                    made.request("discovery.add", address="192.0.2.1", port=1000 + k)
                raise AssertionError("nothing was refused")
            except Refused as e:
                assert "its disk is full" in e.error["message"], e
            refused = 1000 + k
            done = made.command("iscsiutil", "-t", "NOPInterval", "30", ok=None)
            assert done.code != 0 and "its disk is full" in done.err, done
            assert interval(made) == 20, interval(made)
            assert refused not in {d["port"] for d in made.request("discovery.list")["targets"]}
            assert state(made)["error"] and not state(made)["kept"], state(made)
            made.command("iscsiutil", "-d", "-I", "192.0.2.1", "-P", "1000", ok=None)
            made.request("scan", limit=30)
            field.write(field.path(made), 0, field.block("x")).good(AT_ONCE)
            before = sorted((n["hw_path"], n["instance"]) for n in made.tree())
            os.unlink(ballast)
            wait_kept(made)
            assert state(made)["error"] is None, state(made)
            made.request("keys.set", values="40", **KEY)
            made.driver.kill()
            made.restart_driver()
            assert interval(made) == 40
            made.request("scan", limit=30)
            assert sorted((n["hw_path"], n["instance"]) for n in made.tree()) == before


def another_program(t):
    with t.case("another program changes the file: the driver's settings stand, and it says so"):
        with field.initiator(t) as made:
            made.request("keys.set", values="20", **KEY)
            with sqlite3.connect(made.path("var", "lib", "openisw", "registry.db")) as db:
                # The order of names (core/iname.h), as far as these go.
                db.create_collation("INAME", lambda a, b: (a > b) - (a < b))
                db.execute("DELETE FROM setting WHERE key = 'NOPInterval'")
            db.close()
            assert interval(made) == 20
            made.request("keys.set", values="30", **KEY)
            made.driver.kill()
            made.restart_driver()
            assert interval(made) == 30
            assert any("changed by another program" in line for line in made.tail()), made.tail()
    with t.case("another program holds the file: a change fails after seconds, nobody else waits", 60):
        with field.initiator(t) as made:
            made.request("keys.set", values="20", **KEY)
            db = sqlite3.connect(made.path("var", "lib", "openisw", "registry.db"), isolation_level=None)
            db.execute("BEGIN IMMEDIATE")
            change = Asking(made, "keys.set", values="30", **KEY)
            made.request("session.list", limit=AT_ONCE)
            change.join(20)
            assert isinstance(change.answer, Refused) and "locked" in change.answer.error["message"], change.answer
            assert interval(made) == 20
            db.execute("ROLLBACK")
            db.close()
            wait_kept(made)
            made.request("keys.set", values="30", **KEY)


def edit(made, sql, *values):
    """While no driver runs."""
    with sqlite3.connect(made.path("var", "lib", "openisw", "registry.db")) as db:
        db.create_collation("INAME", lambda a, b: (a > b) - (a < b))
        assert db.execute(sql, values).rowcount > 0, sql
        rows = sorted(db.execute("SELECT * FROM unit")), sorted(db.execute("SELECT * FROM designator"))
    db.close()
    return rows


def writes(target):
    return sum(1 for entry in target.log if entry[1] == "command" and entry[3].is_write)


def unreadable(t):
    with t.case("an identity that cannot be read: the unit gets no I/O and nothing is written over it", 60):
        with FieldTarget() as target, field.initiator(t) as made:
            made.discover(target)
            field.write(field.path(made), 0, field.block("mine")).good(AT_ONCE)
            made.command("insf")
            made.stop()
            before = edit(made, "UPDATE unit SET serial = ?", "x" * 1000)
            made.start()
            written = writes(target)
            scan = made.request("scan")
            assert "damaged" in str(scan), scan
            assert not made.disk("field", 0).get("file"), made.disk("field", 0)
            made.stop()
            assert edit(made, "UPDATE setting SET value = value") == before
            assert writes(target) == written
    with t.case("a secret that cannot be read: no login without it, and the reason is told", 60):
        with FieldTarget() as target, field.initiator(t) as made:
            made.command("iscsiutil", "-u", "-H", "CHAP_UNI", "-N", "me", "-W", "-", stdin="a secret of 16 b\n")
            made.command("iscsiutil", "-t", "authmethod", "CHAP", "None")
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            made.stop()
            edit(made, "UPDATE setting SET value = ? WHERE key = 'chap_secret'", "x" * 9000)
            made.start()
            scan = made.request("scan")
            assert "damaged" in str(scan), scan
            assert not target.count("login")


def main():
    with tap.script() as t:
        for part in (hanging, stopped, full, another_program, unreadable):
            part(t)


if __name__ == "__main__":
    main()
