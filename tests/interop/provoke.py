"""Every statistic that the driver counts beside a session, and every message that it says itself, provoked from outside.

tests/scenario/exempt.def names what no bytes of a target can provoke in the core.  What stands there for the driver must be
provoked here, or stand in UNREACHABLE with the reason.
"""
import json
import os
import re
import signal
import sqlite3
import sys

import box
import pattern
import proc
import tap
from initiator import Initiator, have_fuse
from minitgt import PREFIX, Behaviour, MiniTarget

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "iradd"))
import radius  # noqa: E402 (found by the line above)

NO_ROW = "a pair without a row is a fault of ours: the machine's unit test has them"
IDENTITY = "identity.py looks for it, with a target whose units change"
WITHDRAWN = "the question is withdrawn with its connection: only a race of two threads of the driver brings the verdict late"
CHANGES = "changes.py looks for it, with a target whose units change"
PATHS = "paths.py looks for it, with units that several sessions lead to"
RESERVED = "scsi.py looks for it, with initiators that reserve the same unit"
STORY = "the guide's corrections.py looks for it in the event log"
UNREACHABLE = {
    "unexpected_online": NO_ROW,
    "unexpected_transient": NO_ROW,
    "unexpected_offline": NO_ROW,
    "auth_no_connection": WITHDRAWN,
    "auth_wrong_stamp": WITHDRAWN,
    "OPENISW_LOG_UNIT_OTHER": IDENTITY,
    "OPENISW_LOG_UNIT_ABSENT": IDENTITY,
    "OPENISW_LOG_UNIT_BACK": IDENTITY,
    "OPENISW_LOG_UNIT_GREW": CHANGES,
    "OPENISW_LOG_UNIT_SHRUNK": CHANGES,
    "OPENISW_LOG_UNIT_PROTECTED": CHANGES,
    "OPENISW_LOG_UNIT_WRITABLE": CHANGES,
    "OPENISW_LOG_UNIT_RESERVED": RESERVED,
    "OPENISW_LOG_KEY_AGAIN": RESERVED,
    "OPENISW_LOG_KEY_TAKEN": RESERVED,
    "OPENISW_LOG_PATH_STATE": PATHS,
    "OPENISW_LOG_LAST_PATH": PATHS,
    "OPENISW_LOG_OPEN_FAILED": STORY,
    "OPENISW_LOG_DISCOVERY_FAILED": STORY,
    "OPENISW_LOG_DISCOVERY_BACK": STORY,
    "OPENISW_LOG_IO_FAILED": STORY,
    "OPENISW_LOG_CONFIGURED": STORY,
    "OPENISW_LOG_DAEMON_GONE": STORY,
    "OPENISW_LOG_DAEMON_BACK": STORY,
    "OPENISW_LOG_DEVICE_MADE": STORY,
    "OPENISW_LOG_DEVICE_REMOVED": STORY,
    "send_targets_send": "SendTargets is sent when the login ends, and a session has a slot for it then",
}
EXEMPT = re.compile(r"^EXEMPT\((STATISTIC|MESSAGE), (?:\w+\.)?(\w+), (.*)\)$", re.MULTILINE)
NO_ROUTE, SWALLOWS = "198.51.100.9", "192.0.2.11"
LIMIT_SESSIONS = 4096
FLAT1, TWO_LEVELS = b"\x40\1" + bytes(6), b"\0\1\0\2" + bytes(4)


class Seen:
    """What counted, and what was said, in the life of one initiator."""

    def __init__(self):
        self.names = set()

    def counted(self, initiator, *names):
        """Each of these is above zero, somewhere."""
        sums = {}
        answers = [initiator.request("stats.get", sessions=True, connections=True, **{"global": True}),
                   initiator.request("stats.get", device="isw", **{"global": True})]
        blocks = [a["global"]["values"] for a in answers]
        for s in answers[0]["sessions"]:
            blocks += [s["values"]] + [c["values"] for c in s["connections"]]
        for name, value in (item for block in blocks for item in block.items() if isinstance(item[1], int)):
            sums[name] = sums.get(name, 0) + value
        missing = [n for n in names if not sums[n]]
        assert not missing, "not counted: %s" % missing
        self.names.update(names)

    def said(self, initiator, *names):
        # As the driver tells it: the file has a thread of its own.
        events = [json.loads(line) for line in initiator.command("iscsiutil", "--events", "--json").out.splitlines()]
        ids = {e["id"] for e in events}
        assert not any(e["text"].endswith(": .") for e in events), events
        missing = [n for n in names if n not in ids]
        assert not missing, "not said: %s, but %s" % (missing, sorted(ids))
        self.names.update(names)


def exempted():
    with open(os.path.join(HERE, "..", "scenario", "exempt.def")) as f:
        rows = EXEMPT.findall(f.read())
    return {name for kind, name, reason in rows if (kind == "MESSAGE" or reason == "DRIVER") and not is_provoked_in(reason, name)}


def is_provoked_in(reason, name):
    """By another test that the reason names, and which does look for it."""
    other = re.search(r"; interop/(\w+)", reason)
    if not other:
        return False
    with open(os.path.join(HERE, other[1] + ".py"), encoding="utf-8") as f:
        return name in f.read()


def network():
    """A wire into nothing: one address has no route, one swallows everything."""
    proc.run("ip", "link", "add", "void", "type", "veth", "peer", "name", "pit")
    proc.run("ip", "address", "add", "192.0.2.1/24", "dev", "void")
    for link in ("void", "pit"):
        proc.run("ip", "link", "set", link, "up")
    proc.run("ip", "neighbour", "replace", SWALLOWS, "lladdr", "02:00:00:00:00:99", "dev", "void")
    proc.run("ip", "route", "add", "unreachable", NO_ROUTE)


def session(initiator, suffix):
    s, = [s for s in initiator.request("session.list")["sessions"] if s["target_name"] == PREFIX + suffix]
    return s


def logout(initiator, suffix):
    initiator.request("session.logout", instance=session(initiator, suffix)["instance"])


def wait_counted(seen, initiator, *names, limit=20):
    def all_there():
        try:
            seen.counted(initiator, *names)
        except AssertionError:
            return False
        return True
    try:
        proc.wait_for(", ".join(names), all_there, limit=limit, every=0.2)
    except proc.Failed:
        seen.counted(initiator, *names)


def scanning(t, seen, initiator, target):
    with t.case("a scan: what is opened, refused, redirected, unknown, unreachable or swallowed is counted and said", 120):
        initiator.command("iscsiutil", "-b", "7")
        initiator.discover(target, limit=100)
        seen.counted(initiator, "ioscans", "discovery_opened", "send_targets", "normal_opened", "report_luns", "inquiries",
                     "opens", "to_online", "normal_failed", "open_failures", "iswd_failures", "closes_login",
                     "resolve_failures", "route_failures", "open_timeouts", "redirects", "report_luns_failed",
                     "inquiries_failed", "unclaimed_luns", "logouts")
        seen.said(initiator, "ISCSI_LOG_SCSI_INQ_FAILED", "ISCSI_LOG_REPORTLUNS_FAILED", "ISCSI_LOG_INV_LUN_ADDR_TYPE",
                  "ISCSI_LOG_NO_LUNS_CONFIGURED", "ISCSI_LOG_SSN_RESOLV_FAIL", "ISCSI_LOG_SSN_ROUTE_FAIL",
                  "ISCSI_LOG_REDIRECT_OCCURRED")
    proc.run("ip", "route", "add", "unreachable", SWALLOWS)  # later scans need not wait for it
    with t.case("answers to SendTargets that make no sense, and none at all"):
        target.send_targets = lambda: b"TargetName=not a name\0TargetAddress=[::\0NoSuchKey=1\0" + target.all()
        initiator.request("scan", limit=60)
        seen.counted(initiator, "send_targets_parse")
        target.send_targets = None
        initiator.request("scan", limit=60)
        seen.counted(initiator, "send_targets_failed")
        target.send_targets = target.all
    with t.case("a portal that is not there"):
        initiator.command("iscsiutil", "-a", "-I", "127.0.0.1", "-P", "1")
        initiator.request("scan", limit=60)
        seen.counted(initiator, "discovery_failed")
        initiator.command("iscsiutil", "-d", "-I", "127.0.0.1", "-P", "1")


def losing(t, seen, initiator, target):
    disk = target.targets["disk"]
    with t.case("a connection that is lost is opened again, and a scan then finds it open"):
        disk.hang_up()
        wait_counted(seen, initiator, "closes_active", "dead_events", "to_transient", "reopens", "reopen_opens")
        proc.wait_for("the session to be back", lambda: session(initiator, "disk")["state"] == "online")
        initiator.request("scan", limit=60)
        seen.counted(initiator, "reopen_opens_aborted")
        seen.said(initiator, "OPENISW_LOG_SESSION_LOST", "OPENISW_LOG_SESSION_BACK")
    with t.case("I/O of a session that stays away is failed"):
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        initiator.command("iscsiutil", "-t", "ReplacementTimeout", "1")
        disk.login = "close"
        path = initiator.disk("disk", 0)["file"]
        disk.hang_up()
        try:
            pattern.read_at(path, 0, 4096)
            raise AssertionError("the read came through")
        except OSError:
            pass
        seen.counted(initiator, "ios_offline", "to_offline")
        seen.said(initiator, "OPENISW_LOG_SESSION_GIVEN_UP")
        disk.login = None
        proc.wait_for("the session to be back", lambda: session(initiator, "disk")["state"] == "online", limit=40)


def hold(process):
    """Stops it; every thread stands still when this returns."""
    def is_still():
        for task in os.listdir("/proc/%d/task" % process.pid):
            with open("/proc/%d/task/%s/stat" % (process.pid, task)) as f:
                if f.read().rpartition(")")[2].split()[0] != "T":
                    return False
        return True
    process.send_signal(signal.SIGSTOP)
    proc.wait_for("the driver to stand still", is_still, every=0.001)


def closing(t, seen, initiator, target):
    with t.case("logouts: answered, answered by hanging up, answered with a reset"):
        target.pause = lambda: hold(initiator.driver.process)
        target.go_on = lambda: initiator.driver.process.send_signal(signal.SIGCONT)
        for suffix in ("disk", "hangs-up", "resets"):
            logout(initiator, suffix)
        wait_counted(seen, initiator, "logouts", "closes", "closes_logout", "fin_timeouts")
    with t.case("a session that is closed is closed once more"):
        logout(initiator, "disk")
        seen.counted(initiator, "reopen_closes_aborted")


def forged(request):
    """An answer that is signed with another secret than ours."""
    return [request.answer(radius.ACCEPT, secret="another secret")]


def authenticating(t, seen, initiator, target):
    def events(name):
        return [e for e in map(json.loads, initiator.command("iscsiutil", "--events", "--json").out.splitlines()) if e["id"] == name]
    name = sorted(radius.PASSWORDS)[0]
    target.targets["liar"] = Behaviour(login="chap", chap=(name, "not what RADIUS knows"))
    initiator.start_daemon("iradd")
    initiator.command("iscsiutil", "-t", "authmethod", "CHAP", "None")
    initiator.command("iscsiutil", "-u", "-H", "CHAP_BI", "-N", "alice", "-W", "-", stdin="initiator-secret-1\n")
    rows = ((["auth_failures"], radius.honest, "that RADIUS does not believe", "REJECTED", name),
            (["auth_timeouts"], lambda _: [], "that RADIUS says nothing about", "FAILED", "no RADIUS server answered in time"),
            ([], forged, "about that a forged answer comes", "FAILED", "not signed with our NAS secret"))
    for names, answers, what, event, words in rows:
        with t.case("a target %s is counted, and told once" % what, 90), radius.Server(answers) as server:
            before = len(events("OPENISW_LOG_RADIUS_" + event))
            initiator.command("iscsiutil", "-u", "-R", "127.0.0.1", "-", server.address, stdin=radius.NAS_SECRET + "\n")
            for _ in range(2):
                initiator.request("scan", limit=80)
            wait_counted(seen, initiator, *names)
            seen.said(initiator, "OPENISW_LOG_RADIUS_" + event)
            told = events("OPENISW_LOG_RADIUS_" + event)[before:]
            # An administrator must know: it is in the system's log at its default level.
            assert len(told) == 1 and told[0]["level"] == 3 and words in told[0]["text"] and told[0]["address"] == server.address, told
    with t.case("that RADIUS gives verdicts again is told"), radius.Server(radius.honest) as server:
        initiator.command("iscsiutil", "-u", "-R", "127.0.0.1", "-", server.address, stdin=radius.NAS_SECRET + "\n")
        initiator.request("scan", limit=80)
        seen.said(initiator, "OPENISW_LOG_RADIUS_BACK")
    initiator.helpers["iradd"].stop()


def overflow(t, seen, target):
    with t.case("a registry whose session instances are used up"):
        initiator = Initiator("full")
        with initiator:
            pass
        with sqlite3.connect(initiator.path("var", "lib", "openisw", "registry.db")) as db:
            # The order of names (core/iname.h), as far as these go.
            db.create_collation("INAME", lambda a, b: (a > b) - (a < b))
            db.executemany("INSERT INTO session VALUES (?, ?, '192.0.2.200', '192.0.2.200', 3260, 1)",
                           [(i, "%sgone-%d" % (PREFIX, i)) for i in range(LIMIT_SESSIONS)])
        db.close()
        with initiator:
            initiator.command("iscsiutil", "-b", "7")
            initiator.discover(target)
            seen.said(initiator, "ISCSI_LOG_MAX_SSNS_OVERFLOW")


def main():
    with tap.script() as t:
        if not box.isolated():
            raise tap.Skip("addresses that cannot be reached need a namespace of our own")
        network()
        seen, there = Seen(), MiniTarget(moved=Behaviour())
        target = MiniTarget(**{
            "disk": Behaviour(), "no-list": Behaviour(luns=None), "no-inquiry": Behaviour(inquiry=False),
            "no-luns": Behaviour(luns=()), "odd-luns": Behaviour(luns=(bytes(8), FLAT1, TWO_LEVELS)),
            "hangs-up": Behaviour(logout="close"), "resets": Behaviour(logout="reset"), "close": Behaviour(login="close"),
            "moved": Behaviour(login=(1, "127.0.0.1:%d" % there.port)), "name": Behaviour("no-such-host.invalid:3260,1"),
            "route": Behaviour(NO_ROUTE + ":3260,1"), "swallow": Behaviour(SWALLOWS + ":3260,1")})
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            scanning(t, seen, initiator, target)
            losing(t, seen, initiator, target)
            closing(t, seen, initiator, target)
            authenticating(t, seen, initiator, target)
        overflow(t, seen, MiniTarget(one=Behaviour()))
        with t.case("nothing that the scenarios leave to the driver is left over"):
            assert not target.errors + there.errors, target.errors + there.errors
            assert exempted(), "exempt.def was not understood"
            left = exempted() - seen.names - set(UNREACHABLE)
            assert not left, sorted(left)
            assert not seen.names & set(UNREACHABLE), seen.names & set(UNREACHABLE)


main()
