"""Discovery by iSNS, end to end: real servers and real targets, which come and go by the server's notifications."""
import json
import os
import signal
import time

import box
import proc
import tap
from initiator import Initiator
from isnsd import Isnsd
from tgt import Tgt

# What the issue promises: within so long of its notification.
PROMISED = 2.0
SIX = "fd00:15::1"
NOBODY = "iqn.2026-11.org.example:nobody"


def servers(initiator):
    return initiator.request("isns.list")["servers"]


def targets(initiator):
    return {t["name"]: t for t in initiator.request("target.list")["targets"]}


def is_online(initiator, name):
    t = targets(initiator).get(name)
    return t is not None and all(a["state"] == "online" for a in t["addresses"])


def notified(initiator):
    return sum(s.get("notifications") or 0 for s in servers(initiator))


def all_online(initiator):
    return all(s["state"] == "online" and s["is_notifying"] for s in servers(initiator))


def timed(t, what, limit, true):
    """How long it takes; looked at every 5 ms."""
    start = time.monotonic()
    proc.wait_for(what, true, every=0.005)
    took = time.monotonic() - start
    t.comment("%s: %.0f ms" % (what, took * 1000))
    assert took <= limit, "%s took %.2f s" % (what, took)


def events(initiator, ident):
    out = initiator.command("iscsiutil", "--events", "--json").out
    return [e for e in map(json.loads, out.splitlines()) if e["id"] == ident]


def gone_of(initiator, name):
    return [e for e in events(initiator, "OPENISW_LOG_ISNS_GONE") if name in json.dumps(e)]


def comes_and_goes(t, initiator, tgt, first):
    one, two = tgt.names
    registrar = first.registrar()
    with t.case("without a server nothing is asked, and a scan says nothing of iSNS"):
        assert servers(initiator) == [] and initiator.request("scan")["discovery"] == {"ok": 0, "failed": 0}
    with t.case("a server that is added is registered with, and asked"):
        initiator.command("iscsiutil", "-a", "--isns", "-I", first.host, "-P", first.port)
        proc.wait_for("the registration", lambda: all_online(initiator))
        assert initiator.request("initiator.get")["name"] in registrar.names(), registrar.names()
        assert targets(initiator) == {}
    with t.case("a target that is registered appears, is logged in to and has its disk, within 2 s"):
        before = notified(initiator)
        registrar.register(one, tgt.host, tgt.port, alias="first one")
        timed(t, "appeared after its registration", PROMISED, lambda: is_online(initiator, one))
        assert notified(initiator) > before, servers(initiator)
        assert targets(initiator)[one]["source"] == "isns", targets(initiator)
        proc.wait_for("its disk", lambda: initiator.tree("disk"))
    with t.case("a target that is deregistered vanishes, within 2 s"):
        before = notified(initiator)
        registrar.deregister(one)
        timed(t, "vanished after its deregistration", PROMISED, lambda: one not in targets(initiator))
        assert notified(initiator) > before and initiator.request("session.list")["sessions"] == []
        assert len(events(initiator, "OPENISW_LOG_ISNS_GONE")) == 1
    with t.case("tgt registers its targets itself: both come"):
        for name, value in (("iSNSServerIP", first.host), ("iSNSServerPort", first.port), ("iSNSAccessControl", "Off"),
                            ("iSNS", "On")):
            tgt.adm("sys", "update", name=name, value=value)
        proc.wait_for("both targets", lambda: is_online(initiator, one) and is_online(initiator, two))
    with t.case("one that tgt takes away vanishes, and its neighbour stays online"):
        tgt.adm("target", "delete", "--force", tid=1)
        timed(t, "vanished after tgt deleted it", PROMISED, lambda: one not in targets(initiator))
        assert is_online(initiator, two), targets(initiator)


def scans(t, initiator, tgt, first, two):
    tgt.adm("sys", "update", name="iSNS", value="Off")
    first.registrar().register(two, tgt.host, tgt.port)
    proc.wait_for("the target by its own name", lambda: is_online(initiator, two))
    with t.case("a scan asks the server, and counts it"):
        result = initiator.request("scan", 60)
        assert result["discovery"] == {"ok": 1, "failed": 0} and result["sessions"] == {"online": 1, "failed": 0}, result
    with t.case("--isns displays it, for people and programs"):
        out = initiator.command("iscsiutil", "--isns").out
        assert "online" in out and first.host in out, out
        server, = json.loads(initiator.command("iscsiutil", "--isns", "--json").out)["servers"]
        assert (server["address"], server["port"], server["targets"], server["error"]) == (first.host, first.port, 1, None)
        metrics = initiator.command("iscsiutil", "-s", "--metrics").out
        for name, value in (("online", 1), ("notifies", 1), ("targets", 1), ("queries_total", server["queries"])):
            assert 'openisw_isns_server_%s{server="%s",port="%d"} %d\n' % (name, first.host, first.port, value) in metrics, (name, metrics)
    with t.case("a server that dies takes nothing with it: the session stays, an event and the scan say so"):
        gone = len(events(initiator, "OPENISW_LOG_ISNS_GONE"))
        first.daemon.kill(signal.SIGKILL)
        proc.wait_for("the event", lambda: events(initiator, "OPENISW_LOG_ISNS_FAILED"))
        out = initiator.command("ioscan", "-H", "255", ok=(4,))
        assert "ioscan: discovery by iSNS %s: the iSNS server is of no use now" % first.text in out.err, out
        assert is_online(initiator, two) and len(events(initiator, "OPENISW_LOG_ISNS_GONE")) == gone, targets(initiator)
    with t.case("nor does an iisnsd that it has not answered yet"):
        initiator.helpers["iisnsd"].stop()
        initiator.start_daemon("iisnsd")
        proc.wait_for("the new one to have failed", lambda: not servers(initiator)[0]["is_known"] and servers(initiator)[0].get("failures"))
        initiator.command("ioscan", "-H", "255", ok=(4,))
        assert is_online(initiator, two) and len(events(initiator, "OPENISW_LOG_ISNS_GONE")) == gone, targets(initiator)
    with t.case("when it is back it is registered with again, by itself, and what it says then counts"):
        first.start()
        proc.wait_for("the registration", lambda: all_online(initiator), limit=90)
        assert events(initiator, "OPENISW_LOG_ISNS_BACK")
        first.registrar().register(two, tgt.host, tgt.port)
        proc.wait_for("the target", lambda: is_online(initiator, two))
        first.registrar().deregister(two)
        proc.wait_for("the target to vanish", lambda: two not in targets(initiator))


def in_use(t, initiator, tgt, first, two):
    registrar = first.registrar()
    registrar.register(two, tgt.host, tgt.port)
    proc.wait_for("the disk", lambda: is_online(initiator, two) and initiator.tree("disk"))
    initiator.command("insf", "-H", "255")
    disk, = initiator.tree("disk")
    with t.case("a target whose disk is in use is never taken away silently: it stays, and an event says why"):
        with open(disk["rdsk"], "rb"):
            registrar.deregister(two)
            proc.wait_for("the event", lambda: events(initiator, "OPENISW_LOG_ISNS_IN_USE"))
            assert is_online(initiator, two), targets(initiator)
            before = notified(initiator)
            registrar.register(NOBODY, "127.0.0.9", 9)
            proc.wait_for("another notification", lambda: notified(initiator) > before and
                          NOBODY in targets(initiator))
            assert len(events(initiator, "OPENISW_LOG_ISNS_IN_USE")) == 1, "it is said again"
            registrar.deregister(NOBODY)
            proc.wait_for("nobody to vanish", lambda: NOBODY not in targets(initiator))
            assert is_online(initiator, two)
    with t.case("… until it is used no more, and a scan finds that"):
        initiator.request("scan", 60)
        proc.wait_for("it to vanish", lambda: two not in targets(initiator))


def several(t, initiator, tgt, first, second, two):
    with t.case("of two servers one at an IPv6 address, both are followed"):
        initiator.command("iscsiutil", "-a", "--isns", "-I", second.host, "-P", second.port)
        proc.wait_for("both", lambda: len(servers(initiator)) == 2 and all_online(initiator))
        for s in (first, second):
            s.registrar().register(two, tgt.host, tgt.port)
        proc.wait_for("the target", lambda: is_online(initiator, two) and all(s["targets"] == 1 for s in servers(initiator)))
    with t.case("what two servers name stays while one of them names it"):
        gone = len(gone_of(initiator, two))
        first.registrar().deregister(two)
        proc.wait_for("the first to name nothing", lambda: [s["targets"] for s in servers(initiator)] == [0, 1])
        # What is named now is kept after all that was missed before is gone.
        first.registrar().register(NOBODY, "127.0.0.9", 9)
        proc.wait_for("another one", lambda: NOBODY in targets(initiator))
        assert is_online(initiator, two) and len(gone_of(initiator, two)) == gone, targets(initiator)
        first.registrar().deregister(NOBODY)
        proc.wait_for("it to vanish", lambda: NOBODY not in targets(initiator))
        second.registrar().deregister(two)
        proc.wait_for("it to vanish", lambda: two not in targets(initiator))
    with t.case("a target that somebody typed in is not taken away, whoever stops naming it"):
        initiator.request("target.add", name=two, address=tgt.host, port=tgt.port)
        second.registrar().register(two, tgt.host, tgt.port)
        proc.wait_for("it to be named", lambda: [s["targets"] for s in servers(initiator)] == [0, 1])
        second.registrar().deregister(two)
        proc.wait_for("it to be named no more", lambda: [s["targets"] for s in servers(initiator)] == [0, 0])
        assert targets(initiator)[two]["source"] == "static"
        initiator.request("target.remove", name=two)
    with t.case("a server that is deleted with --targets takes what only it has named"):
        second.registrar().register(two, tgt.host, tgt.port)
        proc.wait_for("the target", lambda: is_online(initiator, two))
        initiator.command("iscsiutil", "-d", "--isns", "-I", second.host, "-P", second.port, "--targets")
        assert two not in targets(initiator) and len(servers(initiator)) == 1
        name = initiator.request("initiator.get")["name"]
        proc.wait_for("its registration to be taken back", lambda: name not in second.registrar().names())


def kept(t, initiator, first):
    with t.case("what is configured is exported and applied"):
        text = initiator.command("iscsiutil", "--export").out
        lines = [json.loads(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert [o["args"] for o in lines if o["op"] == "isns.set"] == [{"servers": first.text}], lines
        initiator.command("iscsiutil", "-d", "--isns", "-I", first.host, "-P", first.port)
        assert servers(initiator) == []
        initiator.command("iscsiutil", "--apply", "-", stdin=text)
        assert [(s["address"], s["port"]) for s in servers(initiator)] == [(first.host, first.port)]
    with t.case("iisnsd takes its registration back when it ends, and a new one registers again"):
        proc.wait_for("the registration", lambda: all_online(initiator))
        name = initiator.request("initiator.get")["name"]
        initiator.helpers["iisnsd"].stop()
        assert name not in first.registrar().names(), first.registrar().names()
        assert servers(initiator)[0]["error"] == "iisnsd is not running", servers(initiator)
        out = initiator.command("ioscan", "-H", "255", ok=(1,))
        assert "iisnsd, which asks iSNS servers, is not running" in out.err and "iscsi start" in out.err, out
        initiator.start_daemon("iisnsd")
        proc.wait_for("the registration", lambda: all_online(initiator))


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator, Isnsd() as first:
        if not box.isolated():
            raise tap.Skip("servers on addresses of their own need a namespace of their own")
        t.show_on_failure(initiator)
        t.show_on_failure(first)
        for name in ("one", "two"):
            tgt.lun(tgt.target(name), 1)
        initiator.start_daemon("iisnsd")
        two = tgt.names[1]
        comes_and_goes(t, initiator, tgt, first)
        scans(t, initiator, tgt, first, two)
        in_use(t, initiator, tgt, first, two)
        # The server looks its address up, and where a host has nothing but ::1 it gets no IPv6.
        proc.run("ip", "-6", "addr", "add", SIX + "/128", "dev", "lo", "nodad")
        with Isnsd(SIX) as second:
            several(t, initiator, tgt, first, second, two)
        kept(t, initiator, first)


main()
