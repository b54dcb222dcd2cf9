"""Host names through a real name server: dnsmasq on loopback, in a namespace of the test's own.

One zone is answered by dnsmasq itself; one is forwarded to a server of the test's that answers late or never.
"""
import os
import shutil
import socket
import threading
import time

import box
import proc
import tap
from initiator import Initiator
from tgt import Tgt

ZONE = "example"


class Upstream(threading.Thread):
    """Answers A questions for late.* after a while, for never.* never."""

    def __init__(self, delay):
        super().__init__(daemon=True)
        self.delay = delay
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked = 0

    def run(self):
        while True:
            question, sender = self.socket.recvfrom(512)
            self.asked += 1
            if b"\x04late" in question:
                threading.Timer(self.delay, self.answer, (question, sender)).start()

    def answer(self, question, sender):
        name_end = question.index(b"\0", 12) + 1
        is_a = question[name_end:name_end + 2] == b"\0\x01"
        head = question[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if is_a else b"\0\0") + b"\0\0\0\0"
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x7f\0\0\x01" if is_a else b""
        self.socket.sendto(head + question[12:name_end + 4] + record, sender)


def name_server(upstream, dead, alive):
    """Starts dnsmasq and makes it this namespace's resolver."""
    resolv = os.path.join(box.directory(), "resolv.conf")
    with open(resolv, "w") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    proc.run("mount", "--bind", resolv, "/etc/resolv.conf")
    argv = ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--no-daemon", "--conf-file=/dev/null",
            "--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--local=/%s/" % ZONE,
            "--host-record=one.%s,127.0.0.1" % ZONE, "--server=/slow.test/127.0.0.1#%d" % upstream.port]
    argv += ["--host-record=many.%s,%s" % (ZONE, a) for a in dead + [alive]]
    daemon = proc.Daemon(*argv, log=os.path.join(box.directory(), "dnsmasq.log")).start()

    def answers():
        assert daemon.alive(), "\n".join(daemon.tail())
        try:
            return socket.getaddrinfo("one." + ZONE, None)
        except OSError:
            return None
    proc.wait_for("dnsmasq to answer", answers)
    return daemon


def scan_one(initiator, name, port, limit=60):
    initiator.command("iscsiutil", "-a", "-I", name, "-P", port)
    try:
        return initiator.request("scan", limit)
    finally:
        initiator.command("iscsiutil", "-d", "-I", name, "-P", port)


def failure_of(result, name):
    found = [f for f in result["failures"] if name in str(f["what"])]
    assert found, result
    return found[0]["error"]


def names(t, initiator, tgt, upstream):
    with t.case("without iscsi_resolvd the scan says which daemon is missing"):
        assert "iscsi_resolvd" in failure_of(scan_one(initiator, "one." + ZONE, tgt.port), "one.")
    initiator.start_daemon("iscsi_resolvd")
    with t.case("a name is resolved and its target found"):
        result = scan_one(initiator, "one." + ZONE, tgt.port)
        assert result["discovery"] == {"ok": 1, "failed": 0}, result
        assert initiator.tree("disk"), initiator.tree()
    with t.case("of four addresses three are dead, and the fourth is found"):
        start = time.monotonic()
        result = scan_one(initiator, "many." + ZONE, tgt.port)
        assert result["discovery"]["ok"] == 1, result
        # Their shares of the time would follow each other if attempts were not staggered.
        assert time.monotonic() - start < 4
    with t.case("a name that does not exist is told by its name"):
        assert "nobody.%s" % ZONE in failure_of(scan_one(initiator, "nobody." + ZONE, tgt.port), "nobody.")
    with t.case("a server that answers late is waited for"):
        result = scan_one(initiator, "late.slow.test", tgt.port)
        assert result["discovery"]["ok"] == 1 and upstream.asked > 0, result
    with t.case("a server that never answers fails its own name in bounded time, and nothing else"):
        initiator.command("iscsiutil", "-a", "-I", "127.0.0.1", "-P", tgt.port)
        start = time.monotonic()
        result = scan_one(initiator, "never.slow.test", tgt.port)
        why = failure_of(result, "never.")
        assert result["discovery"]["ok"] == 1 and "no name server answered" in why, result
        told = initiator.command("iscsiutil", "--events", "--level", "err", "--json").out
        assert "Discovery at never.slow.test:%d,1 failed: %s." % (tgt.port, why) in told, told
        assert time.monotonic() - start < 45
    with t.case("after iscsi_resolvd was killed the next scan works again"):
        initiator.helpers["iscsi_resolvd"].kill()
        initiator.start_daemon("iscsi_resolvd")
        assert scan_one(initiator, "one." + ZONE, tgt.port)["discovery"]["failed"] == 0


def main():
    with tap.script() as t:
        if not box.isolated():
            raise tap.Skip("a name server of our own needs namespaces of our own")
        if not shutil.which("dnsmasq"):
            raise tap.Skip("dnsmasq is not installed")
        # One address refuses; two swallow everything, as a host does that is switched off.
        dead = ["192.0.2.11", "192.0.2.12", "127.0.0.13"]
        proc.run("ip", "link", "add", "void", "type", "veth", "peer", "name", "pit")
        proc.run("ip", "address", "add", "192.0.2.1/24", "dev", "void")
        for link in ("void", "pit"):
            proc.run("ip", "link", "set", link, "up")
        for address in dead[:2]:
            proc.run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "void")
        upstream = Upstream(1.5)
        upstream.start()
        with name_server(upstream, dead, "127.0.0.1"), Tgt() as tgt, Initiator() as initiator:
            t.show_on_failure(initiator)
            tgt.lun(tgt.target("named"), 1)
            names(t, initiator, tgt, upstream)


main()
