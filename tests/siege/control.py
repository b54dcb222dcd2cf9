"""What strangers may ask of the driver, and what they can make it hold: little, and never at root's cost."""
import grp
import json
import os

import box
import proc
import strangers
import tap
from initiator import Initiator
from tgt import Tgt

STRANGERS = 40
FEW_MIB = 48
# What is everybody's to see, and what is not: src/ipc/messages.def.
EVERYBODYS = ("driver.version", "driver.status", "discovery.list", "target.list", "session.list", "io.tree", "stats.get")
INNER = ("initiator.get", "events.get", "session.trace")


def asked(initiator, op, **how):
    args = {"instance": 0} if op == "session.trace" else {}
    line = json.dumps({"id": 1, "op": op, "args": args}).encode() + b"\n"
    return strangers.outcome(strangers.request, initiator.path("dev", "iscsi"), line, **how)


def readers():
    """The group's number; where there is none, it is there for this test's processes only.  None: it cannot be had."""
    try:
        return grp.getgrnam("openisw").gr_gid
    except KeyError:
        if not box.isolated():
            return None
    path = os.path.join(box.directory(), "group")
    with open("/etc/group") as old, open(path, "w") as new:
        new.write(old.read() + "openisw:x:54321:\n")
    proc.run("mount", "--bind", path, "/etc/group")
    return 54321


def rss_mib(pid):
    with open("/proc/%d/status" % pid) as f:
        return [int(line.split()[1]) for line in f if line.startswith("VmRSS:")][0] / 1024


def main():
    with tap.script() as t, Tgt() as tgt:
        if os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        group = readers()
        tgt.lun(tgt.target("one"), 1)
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            initiator.discover(tgt)
            initiator.command("iscsiutil", "-u", "-N", "alice")
            with t.case("everybody may see what runs, but not who logs in as whom, what was sent, what happened"):
                for op in EVERYBODYS:
                    word = asked(initiator, op)
                    assert word.startswith("OK") and "alice" not in word, (op, word)
                for op in INNER:
                    assert asked(initiator, op) == "DENIED", op
                assert "alice" in json.dumps(initiator.request("initiator.get"))
                assert "alice" in json.dumps(initiator.request("target.list"))
            with t.case("a member of the group openisw sees all of it, and changes nothing"):
                if group is None:
                    raise tap.Skip("there is no group openisw, and no mount namespace to make it in")
                for op in EVERYBODYS + INNER:
                    assert asked(initiator, op, groups=[group]) not in ("DENIED", "nothing"), op
                assert asked(initiator, "scan", groups=[group]) == "DENIED"
            with t.case("40 strangers who ask and do not read cost a few MiB, and root is answered at once", limit=120):
                before = rss_mib(initiator.driver.pid)
                crowd = []
                for i in range(STRANGERS // 8):
                    for op in ("events.explain", "io.tree"):
                        line = json.dumps({"id": 1, "op": op}).encode() + b"\n"
                        crowd.append(strangers.Stranger(strangers.flood, initiator.path("dev", "iscsi"), line, 4, uid=20000 + i))
                assert all(s.word == "flooded" for s in crowd), [s.word for s in crowd]
                initiator.request("driver.version", limit=5)
                initiator.request("scan", limit=30)
                after = rss_mib(initiator.driver.pid)
                t.comment("%d strangers cost %.1f MiB" % (STRANGERS, after - before))
                assert after - before < FEW_MIB, (before, after)
                for s in crowd:
                    s.end()
                assert asked(initiator, "driver.version").startswith("OK")


main()
