"""Who reads the driver's memory, or a piece of it: each secret is there in clear once, where the registry is, and in no other process."""
import os

import memory
import proc
import tap
from initiator import Initiator
from tgt import Tgt

OURS, THEIRS, NAS = "Zu7:our-own-secret", "Zu7:their-secret-2", "Zu7:nas-secret-no3"
LATER = "Zu7:another-of-ours"
SESSIONS = 3


def processes():
    """All of an initiator's, by pid: there is one in this box."""
    found = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open("/proc/%d/comm" % pid) as f, open("/proc/%d/mem" % pid, "rb"):
                name = f.read().strip()
        except OSError:
            continue  # it has ended, or is the kernel's
        if name.startswith(("iscsi", "isw", "islpd", "iisnsd", "iradd")):
            found[pid] = name
    return found


def expect(initiator, **secrets):
    """So often is each in the driver's memory soon (what is being sent or written takes a moment), and in nobody else's."""
    driver = initiator.driver.pid

    def seen():
        return {text: memory.count(driver, text) for text in secrets}
    proc.wait_for("%s in the driver's memory, not %s" % (secrets, seen()), lambda: seen() == secrets)
    for pid, name in processes().items():
        for text in secrets:
            assert pid == driver or memory.count(pid, text) == 0, "%s has %s" % (name, text)


def online(initiator, n):
    states = [s["state"] for s in initiator.request("session.list")["sessions"]]
    return states == ["online"] * n


def again(initiator, n):
    for s in initiator.request("session.list")["sessions"]:
        initiator.logout(s["instance"])
    initiator.request("scan", limit=100)
    proc.wait_for("%u sessions" % n, lambda: online(initiator, n))


def targets(tgt):
    for k in range(SESSIONS):
        tid = tgt.target("t%u" % k)
        tgt.lun(tid, 1)
        if k == 0:
            for name, secret in (("alice", OURS), ("bob", LATER)):
                tgt.adm("account", "new", user=name, password=secret)
            tgt.adm("account", "new", user="tgt", password=THEIRS)
        for name in ("alice", "bob"):
            tgt.adm("account", "bind", tid=tid, user=name)
        tgt.adm("account", "bind", "--outgoing", tid=tid, user="tgt")


def logins(t, initiator):
    def util(*words, **how):
        return initiator.command("iscsiutil", *words, **how)
    with t.case("three sessions that proved themselves with the same secrets"):
        util("-t", "authmethod", "CHAP")
        util("-u", "-N", "alice")
        util("-u", "-W", "-", stdin=OURS + "\n")
        util("-u", "-H", "CHAP_BI")
        util("-u", "--target-secret", "-", stdin=THEIRS + "\n")
        util("-u", "-R", "nas.example", "-", "192.0.2.1", stdin=NAS + "\n")
        again(initiator, SESSIONS)
        expect(initiator, **{OURS: 1, THEIRS: 1, NAS: 1})
    with t.case("a secret that was replaced is nowhere"):
        util("-u", "-N", "bob")
        util("-u", "-W", "-", stdin=LATER + "\n")
        expect(initiator, **{OURS: 0, LATER: 1})
        again(initiator, SESSIONS)
        expect(initiator, **{OURS: 0, LATER: 1})
    with t.case("a driver that read them from its file has them once"):
        initiator.driver.kill()
        initiator.restart_driver()
        proc.wait_for("the sessions", lambda: online(initiator, SESSIONS), 60)
        expect(initiator, **{OURS: 0, LATER: 1, THEIRS: 1, NAS: 1})
    with t.case("secrets that were taken away are nowhere"):
        util("-t", "authmethod", "None")
        util("-u", "-W", "")
        util("-u", "--target-secret", "")
        expect(initiator, **{LATER: 0, THEIRS: 0, NAS: 1})


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator:
        t.show_on_failure(initiator)
        memory.need_sight(initiator.program("iscsi_driverd"))
        targets(tgt)
        initiator.discover(tgt, limit=100)
        logins(t, initiator)


main()
