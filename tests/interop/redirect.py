"""Normal sessions that a target sends to another portal: for a while, for good, in circles, to nowhere.

The redirecting portals are the test's own; directory agents announce them, so that they are operational targets at once.
"""
import os
import signal
import socket
import struct
import sys
import threading

import box
import proc
import tap
from initiator import Initiator
from tgt import Tgt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "islpd"))
from agent import TYPE, Agent  # noqa: E402 (found by the line above)

FOR_A_WHILE, FOR_GOOD = 1, 2


class Redirector(threading.Thread):
    """Answers every login with a redirection (RFC 7143, section 11.13.5)."""

    def __init__(self, detail, where=None):
        super().__init__(daemon=True)
        self.detail, self.where = detail, where
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.logins = 0
        self.start()

    def run(self):
        while True:
            s, _ = self.listener.accept()
            with s:
                request = s.recv(48, socket.MSG_WAITALL)
                if len(request) == 48:
                    self.logins += 1
                    text = b"TargetAddress=%s\0" % (self.where or "127.0.0.1:%d" % self.port).encode()
                    length = struct.unpack(">I", b"\0" + request[5:8])[0]
                    s.recv((length + 3) & ~3, socket.MSG_WAITALL)
                    head = bytes([0x23, 0, 0, 0, 0]) + struct.pack(">I", len(text))[1:] + request[8:20] + bytes(4) + \
                        struct.pack(">III", 1, 1, 1) + bytes([1, self.detail]) + bytes(10)
                    s.sendall(head + text + bytes(-len(text) % 4))
                    s.recv(1)  # until the initiator hangs up


def announce(tgt, where):
    return Agent("127.0.0.1", 4270, services=["%s:127.0.0.1:%d/%s" % (TYPE, r.port, name)
                                              for r, name in zip(where, tgt.names)])


def sessions(initiator):
    return {s["target_name"].rsplit(":", 1)[1]: s for s in initiator.request("session.list")["sessions"]}


def online(initiator, *names):
    return all(sessions(initiator)[n]["state"] == "online" for n in names)


def redirects(t, initiator, tgt):
    real = "127.0.0.1:%d" % tgt.port
    a_while, good = Redirector(FOR_A_WHILE, real), Redirector(FOR_GOOD, real + ",1")
    circle, nowhere = Redirector(FOR_A_WHILE), Redirector(FOR_GOOD, "no such place:99999")
    with announce(tgt, (a_while, good, circle, nowhere)):
        initiator.start_daemon("islpd", "--port", "4270", "--da", "127.0.0.1")
        result = initiator.request("scan", 60)
    with t.case("redirections are followed to the real target"):
        assert result["sessions"] == {"online": 2, "failed": 2}, result
        assert online(initiator, "while", "good")
    with t.case("a circle ends after a few hops, and an address that makes no sense is named"):
        errors = {f["what"].split(" ")[0].rsplit(":", 1)[1]: f["error"] for f in result["failures"]}
        assert circle.logins < 10 and "circle" in errors, (circle.logins, errors)
        assert "no such place" in errors["nowhere"], errors
    asked = a_while.logins
    with t.case("after a lost connection both come back, and the temporary one was asked again"):
        tgt.daemon.kill(signal.SIGKILL)
        tgt.start()
        names, tgt.names = [n.rsplit(":", 1)[1] for n in tgt.names], []
        for name in names:
            tgt.lun(tgt.target(name), 1)
        proc.wait_for("the sessions to be back", lambda: online(initiator, "while", "good"), limit=60)
        assert a_while.logins > asked, a_while.logins
    with t.case("a permanent redirection is remembered, also over a new driver"):
        asked = good.logins
        initiator.driver.kill()
        initiator.restart_driver()
        initiator.request("scan", 60)
        assert online(initiator, "good") and good.logins == asked, (asked, good.logins)
    with t.case("it is shown with the address, and forgotten on demand"):
        name = next(s["target_name"] for s in initiator.request("session.list")["sessions"] if s["target_name"].endswith(":good"))
        address, = initiator.request("target.list", name=name)["targets"][0]["addresses"]
        assert address["redirected_to"] == real + ",1", address
        where = ("-T", name, "-I", address["address"], "-P", address["port"], "-M", address["tpgt"])
        shown = initiator.command("iscsiutil", "-p", "-T", name).out
        assert "Redirected To" in shown and real in shown, shown
        initiator.command("iscsiutil", "-d", *where, "--redirect")
        address, = initiator.request("target.list", name=name)["targets"][0]["addresses"]
        assert address["redirected_to"] is None, address
        assert "are not redirected" in initiator.command("iscsiutil", "-d", *where, "--redirect", ok=None).err
        initiator.request("session.logout", instance=sessions(initiator)["good"]["instance"])
        asked = good.logins
        initiator.request("scan", 60)
        assert online(initiator, "good") and good.logins == asked + 1, (asked, good.logins)


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator:
        if not box.isolated():
            raise tap.Skip("an agent on a port of its own needs a namespace of its own")
        t.show_on_failure(initiator)
        for name in ("while", "good", "circle", "nowhere"):
            tgt.lun(tgt.target(name), 1)
        redirects(t, initiator, tgt)


main()
