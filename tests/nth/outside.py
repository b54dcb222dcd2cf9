"""What a host does to our processes: no descriptors, a registry that cannot be written from the n-th write on, clocks that jump,
processes that stand still.

outside.py [--long]   stand still for a minute, and every n
"""
import contextlib
import os
import random
import resource
import signal
import sys
import time

import box
import field
import proc
import tap
from cost import cpu_seconds
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Refused, have_fuse
from life import Life, Violated
from page import OFTEN, Page

LONG = "--long" in sys.argv
STILL = 60 if LONG else 3  # seconds
YEAR = 365 * 86400
OTHER = "iqn.2026-11.org.example:other"
# The functions by which the registry's file is written, and what a disk says that is full, read-only or broken.
WRITES = (("pwrite64", ("ENOSPC", "EROFS")), ("fdatasync", ("ENOSPC", "EIO")), ("ftruncate64", ("EROFS",)))


# ---- no descriptors ----

def numbers(pid):
    return {int(n) for n in os.listdir("/proc/%d/fd" % pid)}


@contextlib.contextmanager
def few(made, daemon, spare):
    """Only so many descriptors are left to a process that runs; a daemon that is another user is started again for that."""
    taken, limit, free = numbers(daemon.pid), 0, 0
    while free < spare or limit in taken:
        free += limit not in taken
        limit += 1
    if daemon is not made.driver:
        with restarted(made, daemon, limit):
            yield
        return
    before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def restarted(made, daemon, limit):
    def again(argv):
        daemon.kill(signal.SIGTERM)
        daemon.argv = argv
        daemon.start()
        proc.wait_for("it to be there", lambda: made.has_daemon("iswd"))
    usual = daemon.argv
    again(["prlimit", "--nofile=%d" % limit] + usual)
    try:
        yield
    finally:
        again(usual)


# What may be said where there are no descriptors: that, and nothing that is not so.
WORDS = ("descriptor", "open files", "connections already", "answer", "in time", "not running")


def scan(made, limit=40, words=None):
    """Whether both disks are there; whatever was refused said why and what to do."""
    try:
        result = made.request("scan", limit)
    except Refused as e:
        assert e.error["message"] and e.error["next"], e.error
        return False
    except TimeoutError as e:
        raise Violated("the scan has no answer within %d s" % limit) from e
    except (OSError, proc.Failed):
        return False
    assert all(f["error"] and f["next"] for f in result["failures"]), result
    other = [f["error"] for f in result["failures"] if words and not any(w in f["error"] for w in words)]
    assert not other, "that is not the reason: %r" % other
    shown = [d for d in made.tree("disk") if d.get("file") and os.path.exists(d["file"])]
    assert len(shown) == 2 or result["failures"], "a disk is missing and nobody says so: %r" % result
    return len(shown) == 2


def leave_other(made):
    """The second target's session is taken away again."""
    for s in made.request("session.list")["sessions"]:
        if s["target_name"] == OTHER:
            with contextlib.suppress(Refused):
                made.request("session.logout", instance=s["instance"])


def starve(made, daemon, path):
    """How many descriptors it takes to add a target: with fewer it fails and says so, and I/O goes on."""
    usual = None
    for spare in range(40):
        leave_other(made)
        proc.wait_for("the session to be gone", lambda: field.state(made, "other") in (None, "offline", "closed"), limit=10)
        with few(made, daemon, spare):
            begin = cpu_seconds(daemon.pid), time.monotonic()
            is_well = scan(made, 15, WORDS) if spare else False
            if not spare:
                field.pause(1)
            field.write(path, 0, field.block("%d." % spare)).good(10)
            took = cpu_seconds(daemon.pid) - begin[0], time.monotonic() - begin[1]
            assert took[0] < max(0.5 * took[1], 0.5), "without descriptors it used %.1f s of %.1f s" % took
        assert daemon.alive(), "it ended"
        proc.wait_for("all to work again", lambda: scan(made), limit=30)
        now = len(numbers(daemon.pid))
        usual = usual or now
        assert now <= usual + 2, "descriptors leak: %d, first %d" % (now, usual)
        if is_well:
            return spare
    raise AssertionError("it needs more than 40 descriptors for a target")


def descriptors(t):
    for name in ("iscsi_driverd", "iswd"):
        with t.case("%s has n descriptors left, for all n: it says so, does not spin, and goes on when there are more" % name, 240), \
                FieldTarget([Unit(0)]) as target, FieldTarget([Unit(0, "B")], name=OTHER) as other, field.world(t, target) as made:
            daemon = made.driver if name == "iscsi_driverd" else made.iswd
            path = field.path(made)
            made.request("discovery.add", address=other.host, port=other.port)
            t.comment("%s needs %d descriptors for a target" % (name, starve(made, daemon, path)))


# ---- the registry ----

def registry_at(page, call, error, at):
    """A life in which its disk takes nothing any more, from this call on, until something was refused."""
    page.clear()
    page.arm(error, call, at=at, times=OFTEN)
    with Life(page, "life", is_over_at_trouble=True) as life:
        try:
            life.whole()
        except Violated as v:
            raise Violated("%s at call %d of %s: %s\n%s" % (error, at, call, v, life.new_log()[-1500:])) from v


def registry(t):
    page = Page(box.directory(), "iscsi_driverd")
    with Life(page, "dry") as life:
        life.whole()
    counts = {call: sum(s.count for s in page.sites() if s.call == call and not s.children) for call, _ in WRITES}
    plan = [(call, error, at) for call, errors in WRITES for error in errors for at in range(1, counts[call] + 1)]
    random.Random(1).shuffle(plan)
    with t.case("the registry's disk takes nothing from the n-th write on: what is not kept is not promised", 1 << 20):
        begin, done = time.monotonic(), 0
        for call, error, at in plan:
            if not LONG and time.monotonic() - begin > 15:
                break
            registry_at(page, call, error, at)
            done += 1
        t.comment("%d of %d writes and errnos" % (done, len(plan)))


# ---- clocks ----

@contextlib.contextmanager
def clocked(t, target, program, at_start=0):
    """An initiator one of whose programs reads the clock of the wall through our library."""
    page = Page(box.directory(), program)
    page.words.is_armed, page.words.call = 1, 1 << 32  # nothing is looked at, nothing fails
    page.words.wall_s = at_start
    os.environ.update(page.environment())
    try:
        with field.world(t, target, ReplacementTimeout=20) as made:
            yield made, page
    finally:
        for name in page.environment():
            del os.environ[name]


def clocks(t):
    for program in ("iscsi_driverd", "iswd"):
        for jump in (10 * YEAR, -10 * YEAR):
            with t.case("the clock of %s jumps by %d years: no session, no I/O and no time limit hears of it" % (program, jump // YEAR)), \
                    FieldTarget([Unit(0)]) as target, clocked(t, target, program) as (made, page):
                path, logins = field.path(made), target.logins
                page.words.wall_s = jump
                field.write(path, 0, field.block("a")).good(2)
                field.pause(1)
                assert target.logins == logins and field.state(made) == "online", field.state(made)
                # A time limit of 20 seconds runs: the request of before is answered, not failed.
                target.stop()
                waiting = field.write(path, 0, field.block("b"))
                page.words.wall_s = -jump
                field.pause(2)
                assert waiting.is_alive(), "it ended with %s" % waiting.error
                target.again()
                waiting.good(15)
                assert target.unit(0).disk.read(0, 4096) == field.block("b")
                page.words.wall_s = 0
                made.request("scan")
                assert field.state(made) == "online"
    with t.case("started in the year 1990, and set right later: all works"), FieldTarget([Unit(0)]) as target, \
            clocked(t, target, "iscsi_driverd", 631152000 - int(time.time())) as (made, page):
        path = field.path(made)
        field.write(path, 0, field.block("a")).good(2)
        page.words.wall_s = 0
        field.write(path, 0, field.block("b")).good(2)
        made.command("iscsiutil", "--events")
        made.request("scan")


# ---- standing still ----

@contextlib.contextmanager
def still(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def standing(t):
    limit = 60 + 3 * STILL
    with t.case("the driver stands still for %d s: what was asked of it is done then" % STILL, limit), \
            FieldTarget([Unit(0)]) as target, field.world(t, target) as made:
        path = field.path(made)
        with still(made.driver.pid):
            waiting = field.write(path, 0, field.block("a"))
            field.pause(STILL)
            assert waiting.is_alive(), waiting.error
        waiting.good(30)
        assert target.unit(0).disk.read(0, 4096) == field.block("a")
        field.wait_online(made)
        made.request("scan")
    with t.case("iswd stands still for %d s: I/O goes on; who needs it waits, or is told" % STILL, limit), \
            FieldTarget([Unit(0)]) as target, field.world(t, target) as made:
        path = field.path(made)
        with still(made.iswd.pid):
            field.write(path, 0, field.block("a")).good(5)
            target.hang_up()
            waiting = field.write(path, 0, field.block("b"))
            field.pause(STILL)
        waiting.wait(60)
        assert waiting.error is None or STILL > 30, waiting.error
        field.wait_online(made)
        field.write(path, 0, field.block("c")).good(10)
        assert target.unit(0).disk.read(0, 4096) == field.block("c")
    with t.case("the target stands still for %d s: I/O waits, or fails by its time limit, and goes on" % STILL, limit), \
            FieldTarget([Unit(0)]) as target, field.world(t, target) as made:
        path = field.path(made)
        target.freeze()
        waiting = field.write(path, 0, field.block("a"))
        field.pause(STILL)
        target.thaw()
        waiting.wait(60)
        assert waiting.error is None or STILL > 30, waiting.error
        field.wait_online(made)
        field.write(path, 0, field.block("b")).good(20)
        assert target.unit(0).disk.read(0, 4096) == field.block("b")


def main():
    with tap.script() as t:
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        for part in (descriptors, registry, clocks, standing):
            if not [w for w in sys.argv[1:] if not w.startswith("-")] or part.__name__ in sys.argv:
                part(t)


if __name__ == "__main__":
    main()
