"""Dynamic discovery, end to end: a directory agent knows real targets, islpd asks it, ioscan shows the disks."""
import json
import os
import sys

import box
import tap
from initiator import Initiator
from tgt import Tgt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "islpd"))
from agent import TYPE, Agent  # noqa: E402 (found by the line above)


def url(host, port, name):
    return "%s:%s:%d/%s" % (TYPE, host, port, name)


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator:
        if not box.isolated():
            raise tap.Skip("an agent on a port of its own needs a namespace of its own")
        t.show_on_failure(initiator)
        for name in ("one", "two"):
            tgt.lun(tgt.target(name), 1)
        one, two = tgt.names
        lies = [url("127.0.0.1", tgt.port, "iqn.2026-11.org.example:BAD NAME"), TYPE + "://nothing"]
        with Agent("127.0.0.1", 4270, services=[url("127.0.0.1", tgt.port, one)] + lies) as first, \
                Agent("127.0.0.2", 4270, services=[url("127.0.0.1", tgt.port, n) for n in (one, two)]):
            with t.case("without islpd a scan is static only"):
                assert initiator.request("scan")["discovery"] == {"ok": 0, "failed": 0}
            initiator.start_daemon("islpd", "--port", "4270", "--da", "127.0.0.1", "--da", "127.0.0.2")
            with t.case("targets of two agents become operational targets, once, marked as SLP's"):
                result = initiator.request("scan", 60)
                assert result["discovery"] == {"ok": 1, "failed": 0} and result["sessions"]["online"] == 2, result
                found = {x["name"]: x["source"] for x in initiator.request("target.list")["targets"]}
                assert found == {one: "slp", two: "slp"}, found
            with t.case("ioscan shows their disks"):
                out = initiator.command("ioscan", "-fnH", "255").out
                assert out.count("sdisk") == 2 and first.requests, out
            with t.case("a second scan adds nothing"):
                before = sorted(n["hw_path"] for n in initiator.tree())
                assert initiator.request("scan", 60)["sessions"] == {"online": 2, "failed": 0}
                assert sorted(n["hw_path"] for n in initiator.tree()) == before
        with t.case("agents that are gone fail nothing that is known, and the scan says so in time"):
            result = initiator.request("scan", 60)
            assert result["sessions"] == {"online": 2, "failed": 0}, result
            assert result["duration_ms"] < 30000, result
            why, = result["failures"]
            assert (why["stage"], why["what"]) == ("discovery", "SLP"), why
            assert why["error"] == "the SLP agent 127.0.0.1:4270 was of no use: nobody answers at this address and port, and 1 " \
                "more agent failed", why
            told = [json.loads(line) for line in initiator.command("iscsiutil", "--events", "--level", "err", "--json").out.splitlines()]
            assert [e["text"] for e in told if e["id"] == "OPENISW_LOG_DISCOVERY_FAILED"] == [
                "Discovery at SLP failed: %s." % why["error"]], told
        with t.case("one agent that fails is told, and what another one knows counts"):
            with Agent("127.0.0.2", 4270, services=[url("127.0.0.1", tgt.port, n) for n in (one, two)]):
                out = initiator.command("ioscan", "-H", "255", ok=(4,))
                assert "ioscan: discovery by SLP: the SLP agent 127.0.0.1:4270 was of no use: nobody answers" in out.err, out
                assert "islpd.conf names those that are asked" in out.err, out


main()
