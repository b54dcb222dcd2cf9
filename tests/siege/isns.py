"""What a hostile iSNS server can make the driver hold, write and do: many names, floods of notifications, names that come and go."""
import os
import sys

import proc
import tap
from cost import Cost
from initiator import Initiator
from isnsd import group

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "iisnsd"))
from fake import Fake  # noqa: E402 (found by the line above)

NAMES, SHARE = 4096, 1024
N = "iqn.2026-11.org.example:"


def names(n, prefix="a"):
    return b"".join(group("%s%s%05d" % (N, prefix, k), "127.0.0.1", 1) for k in range(n))  # where nobody listens


def server(initiator):
    return initiator.request("isns.list")["servers"][0]


def known(initiator):
    return initiator.request("target.list")["targets"]


def main():
    with tap.script() as t, Initiator() as initiator, Fake(targets=b"") as f:
        t.show_on_failure(initiator)
        initiator.start_daemon("iisnsd")
        initiator.request("target.add", name=N + "mine", address="127.0.0.1", port=1)
        initiator.command("iscsiutil", "-a", "--isns", "-I", f.host, "-P", f.port)
        proc.wait_for("the server", lambda: server(initiator)["is_notifying"])
        with t.case("a server that names %d targets gets its share, others are answered meanwhile, and it costs a bounded amount" % NAMES,
                    120), Cost(initiator) as cost:
            f.targets = names(NAMES)
            f.notify()
            proc.wait_for("its share", lambda: len(known(initiator)) == SHARE + 1, limit=60)
        with t.case("… that is known beforehand"):
            t.comment("%d names: %s" % (NAMES, cost))
            assert cost.memory_mib < 80 and cost.log_bytes < 400000 and cost.event_bytes < 400000 and cost.wait < 1, cost
            assert server(initiator)["targets"] == NAMES, server(initiator)
        with t.case("names that come and go with each notification, and what was typed in stays", 120):
            with Cost(initiator) as cost:
                for k in range(10):
                    asked = server(initiator)["queries"]
                    f.targets = names(64, "bcdefghijk"[k])
                    f.notify(50)
                    proc.wait_for("another question", lambda asked=asked: server(initiator)["queries"] > asked)
                f.targets = b""
                f.notify()
                # Between two sets of names there may be none, too: the server's last answer is that there are none.
                proc.wait_for("all of it to vanish", lambda: server(initiator)["targets"] == 0 and len(known(initiator)) == 1, limit=60)
            t.comment("ten times 64 names: %s" % cost)
            assert cost.memory_mib < 80 and cost.log_bytes < 400000 and cost.event_bytes < 400000 and cost.wait < 1, cost
            mine, = known(initiator)
            assert (mine["name"], mine["source"]) == (N + "mine", "static"), mine
        with t.case("a server cannot take what somebody typed in, though it has named it", 60):
            f.targets = group(N + "mine", "127.0.0.1", 1)
            f.notify()
            proc.wait_for("it to be named", lambda: server(initiator)["targets"] == 1)
            f.targets = b""
            f.notify()
            proc.wait_for("it to be named no more", lambda: server(initiator)["targets"] == 0)
            assert [x["name"] for x in known(initiator)] == [N + "mine"], known(initiator)
        with t.case("of an answer that names too many nothing is missed, and that it does is told", 120):
            f.targets = group(N + "zz", "127.0.0.1", 1)
            f.notify()
            proc.wait_for("it to be known", lambda: len(known(initiator)) == 2)
            f.targets = names(NAMES) + f.targets
            f.notify()
            proc.wait_for("its share", lambda: len(known(initiator)) == SHARE + 1, limit=60)
            assert server(initiator)["is_cut"] and N + "zz" in [x["name"] for x in known(initiator)], server(initiator)


main()
