"""One unit over two portals of real targets, tgt and istgt: portals that are reset, refuse or fall silent under verifying writers.

A network of our own stands before each portal (proxy.py).  Where it falls silent nothing is lost: what was under way comes to the target
late, when newer requests have gone over the other path for long.

tgt: one portal group, no ALUA (TPGS 0), and asked at one portal it tells of that one only, so both are told by hand; sessions are two by
their ISIDs.  istgt: a portal group for each portal if it is told so, implicit ALUA with a target port group for each, always active/optimized.
The names of both's units are assigned locally (NAA 3) or T10's: paths join because they are of one target."""
import os
import sys

import fieldpaths
import field
import net
import proc
import tap
from fieldpaths import Writers
from istgt import Istgt
from tgt import Tgt

PROXY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "proxy.py")
HOST, MIB = "127.0.0.1", 1 << 20
# What is promised for how long a request waits, and a busy machine with real targets.
RESET_S, PING_S, SLACK_S = 0.1, 2.0, 2.0
# How a portal fails, as the network says it; what is promised.
KILLS = (("reset", "cut", RESET_S), ("refused", "closed", RESET_S), ("silent", "stall", PING_S))
TIMES = 4
# So many that no writer comes again to a block while an older write to it may still be executed.
BLOCKS = 1500


def tgt():
    target = Tgt("tgt", portals=(HOST, HOST))
    return target, lambda: (target.target("peers"), target.lun(1, 1))


def istgt():
    target = Istgt("istgt", portals=(HOST, HOST), grouped=True)
    target.target("peers")
    return target, lambda: None


def units(made):
    return made.request("path.list")["units"]


def paths(made):
    """Of the disk, by session: the state, or "aside"."""
    unit, = [u for u in units(made) if len(u["paths"]) == 2]
    return {p["session_instance"]: p["state"] if p["used"] or p["state"] == "failed" else "aside" for p in unit["paths"]}


def put_back(made):
    """Both are used again: one that was lost again and again is put aside for longer each time."""
    proc.wait_for("both paths", lambda: "failed" not in paths(made).values(), limit=30)
    for session, state in paths(made).items():
        if state == "aside":
            made.command("iscsiutil", "-m", "-S", session, "restore")
    proc.wait_for("both paths to be used", lambda: set(paths(made).values()) == {"active/optimized"}, limit=30)


def kill(made, network, writers, portal, how):
    """How long the longest request took while the portal failed, and came back."""
    writers.go_on(2)
    writers.longest = 0.0
    network.ask(how, portal)
    if how != "cut":  # which is over when that is answered
        proc.wait_for("the loss", lambda: "failed" in paths(made).values(), limit=30)
    writers.go_on(10)
    network.ask("well", portal)
    put_back(made)
    writers.go_on()
    return writers.longest


def against(t, name, make):
    target, fill = make()
    with target:
        t.show_on_failure(target)
        fill()
        ports = [net.free_port(HOST) for _ in target.portals]
        network = proc.Asked(sys.executable, PROXY, *["%s:%d>%s:%d" % (HOST, mine, *theirs) for mine, theirs in zip(ports, target.portals)])
        network.answer()
        try:
            with field.initiator(t, NOPInterval=1, NOPTimeout=1, Failback="immediate") as made:
                with t.case("%s: two portals are one disk" % name):
                    for tag, port in enumerate(ports, 1):
                        made.request("target.add", name="iqn.2026-11.org.example:peers", address=HOST, port=port, tpgt=tag if name == "istgt" else 1)
                    made.request("scan", 60)
                    proc.wait_for("two paths", lambda: any(len(u["paths"]) == 2 for u in units(made)))
                    assert len([d for d in made.tree("disk") if d.get("file")]) == 1, made.tree("disk")
                disk = next(d["file"] for d in made.tree("disk") if d.get("file"))
                for what, how, bound in KILLS:
                    with t.case("%s: a portal is %s %d times, in turn, under load: no error, no wrong byte, within its bound" % (name, what, TIMES), 120):
                        with Writers(disk, blocks=BLOCKS) as writers:
                            took = [kill(made, network, writers, i % 2, how) for i in range(TIMES)]
                        writers.check()
                        fieldpaths.told(t, what, took, bound, SLACK_S)
        finally:
            network.stop()


def main():
    with tap.script() as t:
        for make in (tgt, istgt):
            if make.__name__ in sys.argv[1:] or not sys.argv[1:]:
                against(t, make.__name__, make)


main()
