"""After a connection is lost, no old write lands on a newer one: the old I_T nexus is dead first, or later writes wait."""
import contextlib
import sqlite3

import field
import proc
import tap
from fieldtgt import SILENT, FieldTarget, moved_to
from fieldunit import WRITES, Unit


def held_write(target, path, data, offset=0):
    """A write that the target has taken and not answered; returns (the I/O, the target's command)."""
    before = len(target.commands(WRITES))
    target.on_command = lambda c: SILENT if c.opcode in WRITES else None
    io = field.write(path, offset, data)
    proc.wait_for("the write to come", lambda: len(target.commands(WRITES)) > before)
    return io, target.commands(WRITES)[-1]


def two_portals(units, tag=2, **keys):
    """Two portals of one target, the second one in this portal group, each a machine of its own."""
    old, new = FieldTarget(units), FieldTarget(units)
    old.tags, new.tags = {old.port: 1}, {new.port: tag}
    for target in (old, new):
        target.keys = keys
    return old, new


def redirected(t):
    with t.case("redirected to another portal group: the newest acknowledged write stays, whatever the old one still holds", 90):
        old, new = two_portals([Unit(0)], DefaultTime2Wait="2", DefaultTime2Retain="3")
        with old, new, field.world(t, old, ReplacementTimeout=60) as made:
            path, disk = field.path(made), old.unit(0).disk
            first, held = held_write(old, path, field.block("1"))
            start = held.connection.target.log[-1][0]
            old.on_login = lambda _: moved_to(new.portal())
            old.hang_up()
            first.good(30)
            second = field.write(path, 0, field.block("2"))
            apart = field.write(path, 65536, field.block("3"))
            reading = field.read(path, 0)
            apart.good(3)
            reading.good(3)
            if second.ended is None:
                held.execute()  # the old portal group still can
            second.good(30)
            assert disk.read(0, 4) == b"2222", "the newest acknowledged write was 2; the disk says %r" % disk.read(0, 4)
            assert [s["tpgt"] for s in made.request("session.list")["sessions"]] == [2]
            assert second.ended - start > 5 - 0.2, "the second write was acknowledged after %.1f s" % (second.ended - start)


def killed(made, _old):
    made.driver.kill()
    made.restart_driver()


def removed(made, old):
    """The logout is lost; the target is added again."""
    old.on_logout = lambda _: SILENT
    made.request("target.remove", name=old.name, force=True)
    old.on_logout = lambda _: None
    made.request("scan")


def another_life(t):
    for what, event in (("the driver is killed", killed), ("the target is removed, its logout is lost", removed)):
        with t.case("%s, then redirected to another portal group: writes wait for what it left" % what, 90):
            old, new = two_portals([Unit(0)], DefaultTime2Wait="2", DefaultTime2Retain="3")
            with old, new, field.world(t, old, ReplacementTimeout=60) as made:
                first, held = held_write(old, field.path(made), field.block("1"))
                old.on_login = lambda _: moved_to(new.portal())
                new.on_command = lambda _: None
                event(made, old)
                field.wait_online(made)
                start = new.online()[0]
                second = field.write(field.path(made), 0, field.block("2"))
                field.read(field.path(made), 0).good(3)
                assert second.ended is None, "nobody waited for the old portal group"
                held.execute()
                second.good(30)
                assert second.took > 4, "the second write was acknowledged after %.1f s" % second.took
                assert start.target.unit(0).disk.read(0, 4) == b"2222"
                first.wait(10)
        with t.case("%s, then a login where it was: nothing waits" % what):
            with FieldTarget() as target, field.world(t, target) as made:
                first, _ = held_write(target, field.path(made), field.block("1"))
                target.on_command = lambda _: None
                event(made, target)
                field.wait_online(made)
                field.write(field.path(made), 0, field.block("2")).good(2)
                first.wait(10)


def places(made):
    """(instance, target) of each place that the registry's file has."""
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % made.path("var/lib/openisw/registry.db"), uri=True)) as db:
        return db.execute("SELECT instance, target FROM nexus ORDER BY instance, target").fetchall()


def third_life(t):
    with t.case("the driver is killed twice, the second time while writes wait: they wait in the third life, too", 90):
        old, new = two_portals([Unit(0)], DefaultTime2Wait="2", DefaultTime2Retain="3")
        with old, new, field.world(t, old, ReplacementTimeout=60) as made:
            _, held = held_write(old, field.path(made), field.block("1"))
            old.on_login = lambda _: moved_to(new.portal())
            killed(made, old)
            field.wait_online(made)
            field.write(field.path(made), 0, field.block("2"))
            killed(made, old)
            field.wait_online(made)
            third = field.write(field.path(made), 0, field.block("3"))
            field.read(field.path(made), 0).good(3)
            assert third.ended is None, "nobody waited for the old portal group"
            held.execute()
            third.good(30)
            assert old.unit(0).disk.read(0, 4) == b"3333"


def another_instance(t):
    with t.case("a target is removed, its logout is lost, another one takes its instance: what it left is waited for, once", 90):
        old, other = FieldTarget(), FieldTarget([Unit(0, "other")], name="iqn.2026-11.org.example:other")
        old.keys = {"DefaultTime2Wait": "2", "DefaultTime2Retain": "3"}
        with old, other, field.world(t, old, ReplacementTimeout=60) as made:
            _, held = held_write(old, field.path(made), field.block("1"))
            old.on_command = lambda _: None
            old.on_logout = lambda _: SILENT
            made.request("discovery.remove", address=old.host, port=old.port)
            made.request("target.remove", name=old.name, force=True)
            old.on_logout = lambda _: None
            made.discover(other)
            made.discover(old)
            sessions = {s["target_name"]: s["instance"] for s in made.request("session.list")["sessions"]}
            assert sessions == {other.name: 0, old.name: 1}, sessions
            second = field.write(field.path(made), 0, field.block("2"))
            field.read(field.path(made), 0).good(3)
            assert second.ended is None, "another ISID reinstates nothing"
            held.execute()
            second.good(30)
            assert old.unit(0).disk.read(0, 1) == b"2"
            proc.wait_for("what it left to be forgotten", lambda: places(made) == [(0, other.name), (1, old.name)])
            killed(made, old)
            field.wait_online(made)
            assert field.write(field.path(made), 0, field.block("3")).good(10).took < 4


def same_group(t):
    with t.case("a login in the same portal group ends the old nexus: nothing waits"):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            first, _ = held_write(target, path, field.block("1"))
            target.on_command = lambda _: None
            target.hang_up()
            first.good(10)
            field.write(path, 0, field.block("2")).good(2)
            assert target.unit(0).disk.read(0, 1) == b"2"


def redirected_within(t):
    with t.case("redirected within the portal group: the old nexus is dead, nothing waits"):
        old, new = two_portals([Unit(0)], tag=1)
        with old, new, field.world(t, old) as made:
            path = field.path(made)
            first, _ = held_write(old, path, field.block("1"))
            old.on_login = lambda _: moved_to(new.portal())
            old.hang_up()
            first.good(10)
            field.write(path, 0, field.block("2")).good(2)
            assert old.unit(0).disk.read(0, 1) == b"2"


def same_isid(t):
    with t.case("the session comes back with the ISID that it had"):
        with FieldTarget() as target, field.world(t, target) as made:
            isid = target.online()[0].isid
            target.hang_up()
            field.read(field.path(made)).good(10)
            assert target.online()[0].isid == isid


def is_reset(t):
    """The target sees a reset, not an orderly end, of a connection that was given up with commands on it."""
    with t.case("the connection of a lost nexus is reset"):
        with FieldTarget() as target, field.world(t, target, NOPInterval=1, NOPTimeout=1) as made:
            path = field.path(made)
            io, _ = held_write(target, path, field.block("1"))
            target.on_command = lambda _: None  # the next one is served
            target.answers_pings = False
            proc.wait_for("its end", lambda: any(e[1] == "end" and not e[2].is_discovery for e in target.log), limit=20)
            why = [e[3] for e in target.log if e[1] == "end" and not e[2].is_discovery][0]
            assert "reset" in why.lower(), why
            target.answers_pings = True
            io.good(20)


def order(t):
    with t.case("writes that were under way when the connection broke are sent again in their order", 60):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            target.on_command = lambda c: SILENT if c.opcode in WRITES else None
            ios = []
            for k in range(24):
                ios.append(field.write(path, k * 2 * field.BLOCK, field.block("%02d" % k)))
                proc.wait_for("write %d" % k, lambda k=k: len(target.commands(WRITES)) == k + 1)
            asked = [c.cdb for c in target.commands(WRITES)]
            target.on_command = lambda _: None
            target.hang_up()
            for io in ios:
                io.good(20)
            assert [c.cdb for c in target.commands(WRITES)][len(asked):] == asked


def main():
    with tap.script() as t:
        for part in (same_group, redirected_within, same_isid, order, is_reset, redirected, another_life, third_life, another_instance):
            part(t)


main()
