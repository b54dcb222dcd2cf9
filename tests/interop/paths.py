"""One disk, however many paths lead to it: what fails on one goes over another, and no old write lands on a newer one."""
import contextlib
import json
import sys
import time

import field
import fieldpaths
import proc
import tap
from fieldpaths import NON_OPTIMIZED, OFFLINE, OPTIMIZED, STANDBY, TRANSITIONING, UNAVAILABLE, Writers
from fieldtgt import SILENT, FieldTarget
from fieldunit import WRITES, Unit, naa, t10

# The first connection's loss is known at once; a ping's limits are configured.
RESET_S, PING_S = 0.1, 2.0
# A busy machine, and a write that waits for a fence.
SLACK_S = 1.5
NO_DISKS = 6


def units_of(made):
    """None: no disk is there now, and the status says so."""
    return json.loads(made.command("iscsiutil", "-m", "--json", ok=(0, NO_DISKS)).out)["units"]


def paths_of(made, name=None):
    units = [u for u in units_of(made) if name in (None, u["name"])]
    assert len(units) <= 1, units
    return units[0]["paths"] if units else []


def wait_paths(made, n, what="used", limit=30):
    """So many paths are in use, or in that state."""
    proc.wait_for("%d paths to be %s" % (n, what), lambda: len([
        p for p in paths_of(made) if (p["used"] if what == "used" else p["state"] == what)]) == n, limit=limit)


@contextlib.contextmanager
def ports_of(units, n=2, access=None, **more):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(p) for p in fieldpaths.array(units, n, access, **more)]


@contextlib.contextmanager
def world(t, n=2, access=None, held=False, keys=None, **limits):
    """An array of so many ports, and an initiator that uses all of them."""
    with ports_of([Unit(0)], n, access) as ports, field.initiator(t, held, **limits) as made:
        for port in ports:
            port.keys = keys or {}
        made.discover(ports[0])
        proc.wait_for("all paths", lambda: len(paths_of(made)) == n)
        made.command("iscsiutil", "-t", "Failback", "immediate")
        by_port = {port.port: port for port in ports}
        yield made, [by_port[s["port"]] for s in sorted(made.request("session.list")["sessions"], key=lambda s: s["instance"])]


def one_disk(t):
    with t.case("two portals are one disk, whose device is the first session's; the other one is shown as a path", 60):
        with world(t) as (made, ports):
            disk, = made.tree("disk")
            other, = made.tree("lunpath")
            assert disk["session_instance"] == 0 and other["session_instance"] == 1, (disk, other)
            assert other["alternate_of"] == disk["name"] if "name" in disk else other["alternate_of"] == "c0t0d0", other
            assert other["sw_state"] == "CLAIMED" and "file" not in other
            assert [p["session_instance"] for p in paths_of(made)] == [0, 1]
            shown = made.command("ioscan", "-f").out
            assert shown.count("\ndisk ") == 1 and shown.count("\nlunpath ") == 1, shown
            text = made.command("iscsiutil", "-m").out
            assert text.startswith("c0t0d0: queue-depth\n") and text.count("active/optimized") == 2, text
    with t.case("input and output at once go over both", 60):
        with world(t) as (made, ports):
            with Writers(field.path(made)) as writers:
                proc.wait_for("some work", lambda: writers.done > 200)
            writers.check()
            assert all(len(p.commands(WRITES)) > 10 for p in ports), [len(p.commands(WRITES)) for p in ports]
    with t.case("a scan again, a login again, and a restart of the driver: it is the same one disk", 90):
        with world(t) as (made, ports):
            made.command("insf", "-e")
            made.request("scan")
            made.command("iscsiutil", "--relogin", limit=30)
            wait_paths(made, 2)
            made.driver.stop()
            made.restart_driver()
            made.request("scan")
            proc.wait_for("both paths", lambda: len(paths_of(made)) == 2)
            disk, = made.tree("disk")
            assert disk["session_instance"] == 0
            field.read(field.path(made)).good(5)


def kills(t):
    """Each way in which a portal dies, each portal, under load."""
    for what, bound in (("reset", RESET_S), ("refused", RESET_S), ("silent", PING_S)):
        with t.case("a portal's connection is %s, six times, in turn: no error, no wrong byte, within its bound" % what, 150):
            with world(t, NOPInterval=1, NOPTimeout=1, CommandTimeout=10, AbortTimeout=2, ResetTimeout=2) as (made, ports):
                longest = []
                for i in range(6):
                    # None comes so soon to a block again that it waits for an older write whose path was lost.
                    with Writers(field.path(made), blocks=2000) as writers:
                        proc.wait_for("some work", lambda w=writers: w.done > 20)
                        fieldpaths.FAULTS[what](ports[i % 2])
                        proc.wait_for("the loss", lambda: any(p["state"] == "failed" for p in paths_of(made)) or what == "reset", limit=30)
                        before = writers.done
                        proc.wait_for("work to go on", lambda w=writers: w.done > before + 50, limit=30)
                        fieldpaths.mend(ports[i % 2])
                        wait_paths(made, 2)
                    writers.check()
                    longest.append(writers.longest)
                fieldpaths.told(t, what, longest, bound, SLACK_S)


def ghosts(t):
    with t.case("an unanswered write goes out again over the other path at once; what overlaps waits until it cannot land any more", 90):
        with world(t, keys={"DefaultTime2Wait": "0", "DefaultTime2Retain": "4"}) as (made, ports):
            path, old = field.path(made), ports[0]
            disk = old.unit(0).disk
            made.command("iscsiutil", "-m", "-S", 1, "fail")
            old.on_command = lambda c: SILENT if c.opcode in WRITES else None
            first = field.write(path, 0, field.block("1"))
            proc.wait_for("the write to come", lambda: old.commands(WRITES))
            held = old.commands(WRITES)[-1]
            made.command("iscsiutil", "-m", "-S", 1, "restore")
            old.on_login = lambda _: SILENT
            start = time.monotonic()
            old.hang_up(True)
            first.good(2)
            second = field.write(path, 0, field.block("2"))
            field.write(path, 65536, field.block("3")).good(2)
            assert field.read(path).good(2).got == field.block("1")
            assert second.ended is None, "a newer write was sent while an old one could still land"
            held.execute()  # late, as it may
            second.good(30)
            assert time.monotonic() - start > 4 - 0.2
            assert disk.read(0, 4) == b"2222"
    with t.case("the same where the driver is killed, and only the other portal is there afterwards", 120):
        with world(t, keys={"DefaultTime2Wait": "0", "DefaultTime2Retain": "6"}) as (made, ports):
            made.command("insf", "-e")
            path, old = field.path(made), ports[1]
            disk = old.unit(0).disk
            made.command("iscsiutil", "-m", "-S", 0, "fail")
            old.on_command = lambda c: SILENT if c.opcode in WRITES else None
            field.write(path, 0, field.block("1"))
            proc.wait_for("the write to come", lambda: old.commands(WRITES))
            held = old.commands(WRITES)[-1]
            made.driver.kill()
            old.on_login = lambda _: SILENT
            made.restart_driver()
            proc.wait_for("the first path", lambda: any(p["state"] == "active/optimized" for p in paths_of(made)))
            proc.wait_for("the other one", lambda: len(made.tree("disk")) == 1)
            path = field.path(made)
            second = field.write(path, 0, field.block("2"))
            field.read(path, 0).good(3)
            assert second.ended is None, "nobody minded what the other path had sent"
            held.execute()
            second.good(30)
            assert disk.read(0, 4) == b"2222"


def away(t):
    with t.case("the driver starts while the first session's portal is down: the disk is there by its name, over the other", 90):
        with world(t) as (made, ports):
            made.command("insf", "-e")
            field.write(field.path(made), 0, field.block("x")).good(5)
            made.driver.stop()
            ports[0].stop()
            made.restart_driver()
            disk = proc.wait_for("the disk", lambda: next((d for d in made.tree("disk") if d.get("file")), None), limit=30)
            assert disk["session_instance"] == 0 and disk["file"].endswith("/c0t0d0"), disk
            assert field.read(disk["file"]).good(5).got == field.block("x")
            assert len(made.tree("disk")) == 1
            ports[0].again()
            wait_paths(made, 2, "active/optimized")
            assert len(made.tree("disk")) == 1
    with t.case("all paths are gone: I/O waits, for as long as is promised, and no longer", 60):
        with world(t, ReplacementTimeout=5, LoginTimeout=2, CommandTimeout=2, AbortTimeout=1, ResetTimeout=1, NOPInterval=0) as (made, ports):
            path = field.path(made)
            for port in ports:
                port.stop()
            io = field.read(path)
            field.pause(2)
            assert io.ended is None
            io.bad(10)
            assert 4 < io.took < 8, io.took
            ports[1].again()
            wait_paths(made, 1)
            field.read(path).good(5)


def groups(t):
    with t.case("nothing but questions goes to a group that does not serve; each state is shown", 60):
        with world(t, access=OPTIMIZED) as (made, ports):
            path = field.path(made)
            for access, word in ((STANDBY, "standby"), (UNAVAILABLE, "unavailable"), (OFFLINE, "offline"), (TRANSITIONING, "transitioning"),
                                 (NON_OPTIMIZED, "active/non-optimized")):
                ports[0].become(access)
                field.read(path).good(5)
                wait_paths(made, 1, word, limit=10)
                before = len(ports[0].commands(WRITES))
                for i in range(20):
                    field.write(path, i * field.BLOCK, field.block("w%d" % i)).good(5)
                assert len(ports[0].commands(WRITES)) == before and ports[0].refused <= 1, (word, ports[0].refused)
                ports[0].refused = 0
    with t.case("groups change places, told and untold, twenty times under load: no error, within a second, nothing to a standby group", 120):
        with world(t, access=OPTIMIZED) as (made, ports):
            ports[1].become(STANDBY)
            with Writers(field.path(made)) as writers:
                for i in range(20):
                    proc.wait_for("some work", lambda: writers.done > 20 * (i + 1), limit=20)
                    a, b = ports if i % 2 == 0 else ports[::-1]
                    b.become(OPTIMIZED, is_told=i % 3 != 0)
                    a.become(STANDBY, is_told=i % 3 != 0)
            writers.check()
            t.comment("the longest request took %.2f s; %d commands met a standby group" % (writers.longest, sum(p.refused for p in ports)))
            assert writers.longest < 1 + SLACK_S, writers.longest
    with t.case("all groups change for a while: what waits is answered when one serves again", 60):
        with world(t, access=OPTIMIZED) as (made, ports):
            path = field.path(made)
            for port in ports:
                port.become(TRANSITIONING, is_told=False)
            ios = [field.write(path, i * field.BLOCK, field.block("t%d" % i)) for i in range(8)]
            field.pause(3)
            assert all(io.ended is None for io in ios)
            ports[1].become(OPTIMIZED, is_told=False)
            for io in ios:
                io.good(3)


def liars(t):
    with t.case("one designator and two sizes: the second one is refused, with the reason", 60):
        with ports_of([Unit(0)]) as ports, field.initiator(t) as made:
            ports[1].targets = {ports[1].name: [Unit(0, blocks=1024)]}
            made.discover(ports[0])
            other = proc.wait_for("the other one", lambda: next(iter(made.tree("lunpath")), None))
            proc.wait_for("its reason", lambda: "size is another one" in made.tree("lunpath")[0]["note"])
            assert other["alternate_of"] == "c0t0d0" and len(paths_of(made)) == 1
            assert made.tree("lunpath")[0]["sw_state"] == "UNCLAIMED"
    with t.case("one serial number, or T10 name, of two targets: they are two disks", 60):
        for what in ({"designators": [], "serial": b"S1"}, {"designators": [t10(b"1")], "serial": b""}):
            with FieldTarget([Unit(0, "A", **what)], name="iqn.2026-11.org.example:a") as a, \
                 FieldTarget([Unit(0, "B", **what)], name="iqn.2026-11.org.example:b") as b, field.world(t, a, b) as made:
                assert len(made.tree("disk")) == 2 and not made.tree("lunpath")
    with t.case("the same of one target's two portals: it is one disk", 60):
        with ports_of([Unit(0, designators=[], serial=b"S1")]) as ports, field.world(t, ports[0]) as made:
            assert len(made.tree("disk")) == 1 and len(made.tree("lunpath")) == 1
    with t.case("another unit comes to stand behind one of the paths: that one gets nothing, the disk goes on", 60):
        with world(t) as (made, ports):
            path = field.path(made)
            ports[0].targets = {ports[0].name: [Unit(0, "other")]}
            for connection in ports[0].online():
                connection.attentions.setdefault(bytes(8), []).append(fieldpaths.check(6, 0x3f, 3).sense)
            for i in range(20):
                field.write(path, i * field.BLOCK, field.block("o%d" % i)).good(10)
            wait_paths(made, 1, "failed")
            assert ports[0].unit(0).disk.read(0, 4) == bytes(4) and ports[1].unit(0).disk.read(0, 2) == b"o0"


def names(t):
    with t.case("two targets of one array, differently named: one disk; a session that is on another thread begins anew beside it", 90):
        with contextlib.ExitStack() as stack:
            unit = Unit(0, designators=[naa(b"shared")])
            targets = [stack.enter_context(FieldTarget([unit], name="iqn.2026-11.org.example:n%d" % i)) for i in range(5)]
            made = stack.enter_context(field.world(t, *targets))
            assert len(paths_of(made)) == 5, paths_of(made)  # the scan has waited for it
            assert len(made.tree("disk")) == 1 and len(made.tree("lunpath")) == 4
            path = made.tree("disk")[0]["file"]
            for i in range(5):
                field.write(path, 0, field.block("%d" % i)).good(5)
                targets[i].stop()
                assert field.read(path).good(20).got == field.block("%d" % i) if i < 4 else True


def scattered(t):
    with t.case("a session that leads to disks of several threads is a path to those of one, says so of the others, and rests", 90):
        with contextlib.ExitStack() as stack:
            units = [Unit(k, designators=[naa(b"shared%d" % k)]) for k in range(4)]
            targets = [stack.enter_context(FieldTarget([u], name="iqn.2026-11.org.example:s%d" % k)) for k, u in enumerate(units)]
            everything = stack.enter_context(FieldTarget(units, name="iqn.2026-11.org.example:t"))
            made = stack.enter_context(field.initiator(t))
            for target in targets:  # one after the other: each thread has some
                made.discover(target)
            made.discover(everything)

            def stands():
                session, = [s for s in made.request("session.list")["sessions"] if s["target_name"] == everything.name]
                return session["connections"][0]["local"], {u["name"]: len(u["paths"]) for u in units_of(made)}

            before = stands()
            assert len(before[1]) == 4 and set(before[1].values()) == {1, 2}, before
            apart = [line for line in made.tree("lunpath") if "on another thread" in line["note"]]
            assert len(apart) == list(before[1].values()).count(1), (apart, before)
            made.request("scan")
            made.request("scan")
            assert stands() == before, (stands(), before)
            for disk in made.tree("disk"):
                field.write(disk["file"], 0, field.block(disk["file"])).good(10)


def people(t):
    with t.case("a path is taken out for work, and put back; the last one is not taken unless forced", 60):
        with world(t) as (made, ports):
            path = field.path(made)
            made.command("iscsiutil", "-m", "-S", 0, "fail")
            assert [p["state"] for p in paths_of(made)] == ["offline", "active/optimized"]
            before = len(ports[0].commands(WRITES))
            for i in range(10):
                field.write(path, i * field.BLOCK, field.block("f%d" % i)).good(5)
            assert len(ports[0].commands(WRITES)) == before
            refused = made.command("iscsiutil", "-m", "-S", 1, "fail", ok=None)
            assert refused.code == 8 and "c0t0d0" in refused.err, refused
            made.command("iscsiutil", "-m", "-S", 0, "restore")
            wait_paths(made, 2)
            told = field.events(made)
            assert "Disk c0t0d0 has one path left that serves, of 2." in told, told
            metrics = made.command("iscsiutil", "-s", "--metrics").out
            assert metrics.count("\nopenisw_path_serves{") == 2 and 'openisw_disk_failovers_total{device="c0t0d0"} ' in metrics, metrics
            assert "A path to disk c0t0d0 is offline now (it was active/optimized)." in told, told
            assert "A path to disk c0t0d0 is active/optimized now (it was offline)." in told, told
            made.command("iscsiutil", "-m", "-S", 1, "fail", "--force")
            assert made.command("iscsiutil", "-m", "-S", 1, "sleep", ok=None).code == 2
            assert made.command("iscsiutil", "-m", "-S", 99, "fail", ok=None).code == 6
    with t.case("a path that was taken out stays out over logins and scans, until the driver starts anew", 90):
        with world(t) as (made, ports):
            made.command("iscsiutil", "-m", "-S", 1, "fail")
            logins = ports[1].logins
            made.command("iscsiutil", "--relogin", limit=30)
            proc.wait_for("the login", lambda: ports[1].logins > logins)
            proc.wait_for("the session", lambda: all(s["state"] == "online" for s in made.request("session.list")["sessions"]))
            made.request("scan")
            assert [p["state"] for p in paths_of(made)] == ["active/optimized", "offline"]
            made.driver.stop()
            made.restart_driver()
            made.request("scan")
            wait_paths(made, 2)
    with t.case("a session is logged out: the alternate one's leaves the disk alone, the disk's own takes it away where nobody uses it", 90):
        with world(t) as (made, ports):
            made.command("insf", "-e")
            path = field.path(made)
            with open(path, "rb"), Writers(path) as writers:
                proc.wait_for("some work", lambda: writers.done > 20)
                made.command("iscsiutil", "-d", "-S", 1)
                before = writers.done
                proc.wait_for("work to go on", lambda: writers.done > before + 20)
                assert len(paths_of(made)) == 1
                busy = made.command("iscsiutil", "-d", "-S", 0, ok=None)
                assert busy.code == 8, busy
                made.request("scan")
                proc.wait_for("two paths", lambda: len(paths_of(made)) == 2)
            writers.check()
            made.command("iscsiutil", "-d", "-S", 0)
            assert not [d for d in made.tree("disk") if d.get("file")]
    with t.case("policies, and the preferred path", 60):
        with world(t) as (made, ports):
            path = field.path(made)
            for policy in ("round-robin", "latency", "failover", "fixed", "queue-depth"):
                made.command("iscsiutil", "-t", "PathPolicy", policy)
                proc.wait_for("the policy", lambda p=policy: units_of(made)[0]["policy"] == p)
                for i in range(10):
                    field.write(path, i * field.BLOCK, field.block(policy)).good(5)
            target = ports[1]
            made.command("iscsiutil", "-t", "PathPreferred", "yes", "-T", target.name, "-I", target.host, "-P", target.port)
            proc.wait_for("the preference", lambda: [p["preferred"] for p in paths_of(made)] == [False, True])
            wait_paths(made, 1)
            before = [len(p.commands(WRITES)) for p in ports]
            for i in range(10):
                field.write(path, i * field.BLOCK, field.block("p")).good(5)
            assert len(ports[0].commands(WRITES)) == before[0] and len(ports[1].commands(WRITES)) == before[1] + 10
            assert made.command("iscsiutil", "-t", "PathPolicy", "sideways", ok=None).code != 0
            assert made.command("iscsiutil", "-t", "Failback", "never", ok=None).code != 0
            made.command("iscsiutil", "-t", "Failback", "manual")
            ports[1].hang_up()
            proc.wait_for("it to be back", lambda: paths_of(made)[1]["aside_s"] == "manual")
            assert [p["used"] for p in paths_of(made)] == [True, False]
            made.command("iscsiutil", "-m", "-S", 1, "restore")
            assert [p["used"] for p in paths_of(made)] == [False, True]
    with t.case("one unit of two has a policy, a patience and a preferred path of its own, also after a restart, and gives them back", 90):
        with ports_of([Unit(0), Unit(1, name="B")], 2) as ports, field.initiator(t) as made:
            made.discover(ports[0])
            proc.wait_for("all paths", lambda: [len(u["paths"]) for u in units_of(made)] == [2, 2])
            first, second = (u["name"] for u in units_of(made))
            portal = ("-I", ports[1].host, "-P", ports[1].port)

            def is_own(own, preferred):
                a, b = units_of(made)
                return (a["policy_is_own"], a["policy"]) == (own, "fixed" if own else "queue-depth") and \
                    not b["policy_is_own"] and b["policy"] == "queue-depth" and \
                    sum(p["preferred"] for p in a["paths"]) == preferred and not any(p["preferred"] for p in b["paths"])
            made.command("iscsiutil", "-t", "PathPolicy", "fixed", "--unit", first)
            made.command("iscsiutil", "-t", "PathPreferred", "yes", "--unit", first, *portal)
            proc.wait_for("the unit's own", lambda: is_own(True, 1))
            before = [len(p.commands(WRITES)) for p in ports]
            for i in range(10):
                field.write(field.path(made), i * field.BLOCK, field.block("p")).good(5)
            assert len(ports[0].commands(WRITES)) == before[0] and len(ports[1].commands(WRITES)) == before[1] + 10
            out = made.command("iscsiutil", "-m").out
            assert first + ": fixed, its own" in out and second + ": queue-depth\n" in out, out
            kept = made.command("iscsiutil", "--export").out
            assert kept.count('"unit":"naa.') == 2, kept
            made.driver.stop()
            made.restart_driver()
            made.request("scan")
            proc.wait_for("the unit's own, after a restart", lambda: len(units_of(made)) == 2 and is_own(True, 1))
            for key, more, code in (("HeaderDigest", (), 2), ("PathPreferred", (), 2), ("PathPolicy", portal, 2)):
                said = made.command("iscsiutil", "-t", key, {"HeaderDigest": "None", "PathPreferred": "yes"}.get(key, "fixed"), "--unit", first,
                                    *more, ok=None)
                assert said.code != 0 and "unit" in said.err, said
            assert made.command("iscsiutil", "-t", "PathPolicy", "fixed", "--unit", "c9t9d9", ok=None).code == 6
            for value in ("yes", "default"):
                said = made.command("iscsiutil", "-t", "PathPreferred", value, "--unit", first, "-I", "192.0.2.9")
                assert ("no session has the address 192.0.2.9" in said.out + said.err) == (value == "yes"), said
            made.command("iscsiutil", "-t", "PathPolicy", "default", "--unit", first)
            made.command("iscsiutil", "-t", "PathPreferred", "default", "--unit", first, *portal)
            proc.wait_for("nothing of its own", lambda: is_own(False, 0))
            assert '"unit":' not in made.command("iscsiutil", "--export").out


def main():
    with tap.script() as t:
        for part in (one_disk, kills, ghosts, away, groups, liars, names, scattered, people):
            if part.__name__ in sys.argv[1:] or not sys.argv[1:]:
                part(t)


main()
