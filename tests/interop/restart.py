"""A target that is killed and comes back every few seconds, under writers that check every byte.

No error may reach the writers, no byte may differ: what was acknowledged is there, what was under way when the target died
is sent again, once, after the old session is known to be dead.  OPENISW_RESTART_SECONDS: how long for each target.
"""
import os
import signal
import sys

import tap
import writers
from initiator import Initiator, have_fuse, have_loop
from istgt import Istgt
from tgt import Tgt

SECONDS = int(os.environ.get("OPENISW_RESTART_SECONDS", "120"))


def disk_path(initiator, node):
    if have_loop():
        initiator.command("insf", "-H", "255")
        return initiator.disk("restart", node["lun"])["block"]
    return node["file"]


def statistics(initiator):
    """The numbers of the one session and its connection, by the guide's names."""
    lines = initiator.command("iscsiutil", "-s", "-S", "0", "-C").out.splitlines()
    return {name.strip(): int(value) for name, _, value in (line.rpartition(" : ") for line in lines)
            if name.startswith("Number of")}


def against(t, name, make, lun, again):
    if not have_fuse():
        raise tap.Skip("no /dev/fuse here")
    target, backing = make()
    with target, Initiator(name + "-root") as initiator:
        t.show_on_failure(initiator)
        if name == "tgt":
            backing = again(target)
        initiator.discover(target)
        path = disk_path(initiator, initiator.disk("restart", lun))

        kills = []

        def kill_and_start():
            kills.append(target.daemon.pid)
            target.daemon.kill(signal.SIGKILL)
            target.start()
            if name == "tgt":
                again(target)

        with t.case("%s: writers see no error and no wrong byte" % name, limit=SECONDS + 150):
            load = writers.load_while(path, kill_and_start, seconds=SECONDS)
        with t.case("%s: every byte acknowledged is in the target's file" % name, limit=120):
            writers.check_all(load, path)
            writers.check_all(load, backing)
        with t.case("%s: iscsiutil -s tells how often it was so" % name):
            n = statistics(initiator)
            # A target may die again before the session was back.
            assert 2 <= n["Number of session reopens"] <= len(kills), (n, len(kills))
            assert n["Number of session state machine transitions to online state"] == n["Number of session reopens"] + 1, n
            assert n["Number of session state machine transitions to offline state"] == 0, n
            assert n["Number of I/Os issued on this connection"] >= sum(w.writes for w in load), n
            assert n["Number of holes seen in the status sequencing"] == 0, n


def tgt_again(tgt):
    tgt.names = []
    return tgt.lun(tgt.target("restart"), 1, size=writers.SIZE)


def make_istgt():
    target = Istgt()
    return target, target.target("restart", luns=(0,), size=writers.SIZE)[0]


def main():
    with tap.script() as t:
        if sys.argv[1] == "tgt":
            against(t, "tgt", lambda: (Tgt(), None), 1, tgt_again)
        else:
            against(t, "istgt", make_istgt, 0, None)


main()
