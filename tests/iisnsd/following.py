"""iisnsd against servers that were written for the tests: what is asked, what is found, and which lies are survived."""
import os
import socket
import time

import isnsd
import proc
import tap
from fake import Fake
from helperlink import HelperLink
from isnsd import (ALIAS, AUTH, BITMAP, CLIENT, DEREG, EID, FIRST, INITIATOR, IP, LAST, NAME, PORT, QRY, REG, REPLACE, RSP, SCN,
                   SCN_PORT, SCN_REG, TYPE, attr, group, node, number, pdu, text)

ME = "iqn.2001-04.com.example:me"
N = "iqn.2001-04.com.example:"
ONE = node(N + "a", alias="first") + group(N + "a", "192.0.2.1", 3260)
TWO = ONE + node(N + "b") + group(N + "b", "2001:db8::5", 3261, 7)


class Iisnsd(HelperLink):
    def __init__(self, *options, config=None):
        super().__init__("iisnsd", *options, config=config)
        self.seen = 0

    def follow(self, *servers, timeout_ms=20000, **more):
        args = dict({"servers": [s.text for s in servers], "name": ME, "alias": "host", "seen": self.seen,
                     "timeout_ms": timeout_ms}, **more)
        answer = self.request("follow", **args)
        assert answer["ok"], answer
        self.seen = answer["result"]["serial"]
        return answer["result"]

    def until(self, what, *servers, true):
        """Follows until it is so."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            result = self.follow(*servers)
            if true(result):
                return result
        raise proc.Failed("waited for " + what)

    def online(self, *servers):
        return self.until("all online", *servers, true=lambda r: [s["state"] for s in r["servers"]] == ["online"] * len(servers) and r["servers"])


def names(result):
    return sorted(t["name"][len(N):] for t in result["targets"])


def equal(got, want):
    assert got == want, "got %r, wanted %r" % (got, want)


def asks(t):
    with t.case("a server is registered with, subscribed to and asked, and what it names is told"), \
            Fake(targets=TWO) as f, Iisnsd("--scn-port", 0) as i:
        r = i.online(f)
        equal([{k: v for k, v in x.items() if k != "server"} for x in r["targets"]], [
            {"name": N + "a", "address": "192.0.2.1", "port": 3260, "tpgt": 1, "alias": "first"},
            {"name": N + "b", "address": "2001:db8::5", "port": 3261, "tpgt": 7}])
        m = f.wait(REG)
        equal((m.attrs[0], m.string(EID), m.value(TYPE), m.string(ALIAS)), ((NAME, text(ME)), ME, number(INITIATOR), "host"))
        assert m.flags == CLIENT | FIRST | LAST | REPLACE and m.value(PORT) == m.value(SCN_PORT) and any(m.value(IP)), vars(m)
        # RFC 4171, 6.4.4: management bits are for control nodes.
        equal(f.wait(SCN_REG).value(BITMAP), number(0x5c))
        equal(f.wait(QRY).attrs[:2], [(NAME, text(ME)), (TYPE, number(1))])
        s, = r["servers"]
        assert s["is_known"] and s["is_notifying"] and s["error"] is None and s["counts"]["queries"] == 1, s
    with t.case("it is taken back when iisnsd ends, and when the server is not wanted any more"), Fake() as f, Fake() as g:
        with Iisnsd() as i:
            i.online(f, g)
            i.follow(g)
            equal(f.wait(DEREG).string(EID), ME)
        g.wait(DEREG)
    with t.case("a server at an IPv6 address, and one by its name"), Fake("::1", ONE) as f, Fake(targets=TWO) as g, Iisnsd() as i:
        class Named:
            text = "localhost:%d" % g.port
        i.online(f, Named)
        assert f.wait(REG).value(IP) == socket.inet_pton(socket.AF_INET6, "::1")
    with t.case("the registration is refreshed before its period ends"), Fake(period=2) as f, Iisnsd() as i:
        i.online(f)
        equal(f.wait(REG, 3).flags & REPLACE, 0)
    with t.case("what does not fit one answer comes in pages, each target once"), Iisnsd() as i:
        many = b"".join(group(N + "%04d" % k, "192.0.2.1", 3260) for k in range(1500))
        with Fake(targets=many) as f:
            first = i.online(f)
            got, page = [], first
            while True:
                got += names(page)
                if page["next"] is None:
                    break
                page = i.follow(f, **{"from": page["next"]})
                equal(page["serial"], first["serial"])
            equal(got, ["%04d" % k for k in range(1500)])


def notified(t):
    with t.case("a notification is answered, and a reason to ask again"), Fake(targets=ONE) as f, Iisnsd() as i:
        equal(names(i.online(f)), ["a"])
        f.targets = TWO
        rsp, = f.notify()
        equal((rsp.function, rsp.status, rsp.xid, rsp.string(NAME)), (SCN | RSP, 0, 100, ME))
        equal(names(i.follow(f)), ["a", "b"])
    with t.case("one that comes by the connection of the questions, too"), Fake(targets=ONE) as f, Iisnsd() as i:
        i.online(f)
        f.targets = TWO
        f.connections[0].sendall(f.scn())
        f.wait(SCN | RSP)
        equal(names(i.follow(f)), ["a", "b"])
    with t.case("one that comes while a question is out is a reason to ask once more"), Fake(targets=ONE) as f, Iisnsd() as i:
        i.online(f)

        def change(_, m, reply):
            if m.function == QRY:
                f.hook, f.targets = None, TWO
                f.notify()
            return reply  # what was so before
        f.hook = change
        f.notify()
        equal(names(i.follow(f)), ["a", "b"])
    with t.case("however many come, the server is asked at its pace"), Fake(targets=ONE) as f, Iisnsd() as i:
        i.online(f)
        start = time.monotonic()
        for _ in range(20):
            f.notify(20)
        f.targets = TWO
        f.notify()
        equal(names(i.follow(f)), ["a", "b"])
        most = 3 + (time.monotonic() - start) / 0.2
        assert f.count(QRY) <= most, "%d questions, where %d are many" % (f.count(QRY), most)
    with t.case("nobody but the server is heard"), Fake(targets=ONE) as f, Iisnsd() as i:
        i.online(f)
        with f.caller("127.0.0.2") as s:
            try:
                s.sendall(f.scn())
                equal(s.recv(1), b"")
            except ConnectionError:
                pass  # that it is closed came before what was sent
        with f.caller() as s:
            s.sendall(pdu(REG, 1, b""))
            equal(s.recv(1), b"")
        equal(f.count(QRY), 1)
        r = i.request("refresh", timeout_ms=20000)["result"]
        equal(r["servers"][0]["counts"]["refusals"], 1)
    with t.case("few connections for notifications, each with a time limit"), Fake(targets=ONE) as f, Iisnsd("--timeout", 1) as i:
        i.online(f)
        idle = [f.caller() for _ in range(4)]
        with f.caller() as s:
            equal(s.recv(1), b"")
        idle[0].sendall(f.scn()[:20])
        for s in idle:
            equal(s.recv(1), b"")
            s.close()
        f.notify()


def refuses(t):
    def says(function, status):
        return lambda f, m, reply: pdu(m.function | RSP, m.xid, number(status)) if m.function == function else reply
    with t.case("a server that refuses the registration is asked all the same, and that is said"), \
            Fake(targets=ONE, hook=says(REG, 3)) as f, Iisnsd() as i:
        r = i.online(f)
        s, = r["servers"]
        assert names(r) == ["a"] and not s["is_notifying"] and "it calls our registration invalid" in s["error"], s
    with t.case("one that sends no notifications is asked, too"), Fake(targets=ONE, hook=says(SCN_REG, 17)) as f, Iisnsd() as i:
        s, = i.online(f)["servers"]
        assert not s["is_notifying"] and "it sends no notifications" in s["error"], s
    def forgot(f, m, reply):
        if m.function == REG and not m.flags & REPLACE:
            return pdu(m.function | RSP, m.xid, number(14))
        return reply
    with t.case("a server that has forgotten the registration gets a new one, once for each refusal"), \
            Fake(targets=ONE, period=2, hook=forgot) as f, Iisnsd() as i:
        i.online(f)
        f.wait(REG, 2)
        equal(f.wait(REG, 3).flags & REPLACE, REPLACE)
        i.request("refresh", timeout_ms=20000)
        r = i.online(f)
        assert r["servers"][0]["is_notifying"] and not r["servers"][0]["error"] and names(r) == ["a"], r
    with t.case("a question that failed is no answer: what was named stays, and is said to be old"), \
            Fake(targets=TWO) as f, Iisnsd() as i:
        i.online(f)
        f.hook = says(QRY, 12)
        f.notify()
        r = i.follow(f)
        assert names(r) == ["a", "b"] and r["servers"][0]["error"] == "it is busy" and r["servers"][0]["is_known"], r
        f.hook, f.targets = None, ONE
        equal(names(i.online(f)), ["a"])
    with t.case("that it has no such entry is an answer"), Fake(targets=TWO) as f, Iisnsd() as i:
        i.online(f)
        f.hook = says(QRY, 9)
        f.notify()
        r = i.follow(f)
        assert r["targets"] == [] and r["servers"][0]["error"] is None, r
    with t.case("a server that is gone is tried again by itself"), Fake(targets=ONE) as f, Iisnsd() as i:
        i.online(f)
        f.hang_up()
        i.follow(f, timeout_ms=3000)
        i.online(f)
        f.wait(REG, 2)


LIES = {
    "a wrong version": lambda m, r: pdu(m.function | RSP, m.xid, r[12:], version=2),
    "an authentication block": lambda m, r: pdu(m.function | RSP, m.xid, r[12:], FIRST | LAST | AUTH),
    "an odd length": lambda m, r: pdu(m.function | RSP, m.xid, r[12:], length=6),
    "no first PDU": lambda m, r: pdu(m.function | RSP, m.xid, r[12:], LAST),
    "a first PDU twice": lambda m, r: pdu(m.function | RSP, m.xid, r[12:], FIRST) * 2,
    "PDUs that skip one": lambda m, r: pdu(m.function | RSP, m.xid, b"", FIRST) + pdu(m.function | RSP, m.xid, b"", LAST, seq=2),
    "PDUs without an end": lambda m, r: pdu(m.function | RSP, m.xid, b"", FIRST) + b"".join(
        pdu(m.function | RSP, m.xid, b"", 0, seq=k) for k in range(1, 5000)),
    "more bytes than any message has": lambda m, r: [pdu(m.function | RSP, m.xid, bytes(65532), FIRST if k == 0 else 0, seq=k)
                                                     for k in range(70)],
    "an attribute that is longer than its message": lambda m, r: pdu(
        m.function | RSP, m.xid, number(0) + attr(0) + b"\0\0\0\x20\xff\xff\xff\xfc"),
    "no status": lambda m, r: pdu(m.function | RSP, m.xid, b""),
    "what nobody asked for": lambda m, r: pdu(m.function | RSP, m.xid + 1, r[12:]) * 50,
    "silence": lambda m, r: None,
    "half an answer": lambda m, r: r[:len(r) // 2],
}


def lies(t):
    for name, lie in LIES.items():
        with t.case("%s ends the question, and costs nothing that is known" % name), \
                Fake(targets=TWO) as f, Iisnsd("--timeout", 1) as i:
            i.online(f)
            f.hook = lambda _, m, reply, lie=lie: lie(m, reply) if m.function == QRY else reply
            f.notify()
            r = i.follow(f)
            assert names(r) == ["a", "b"] and r["servers"][0]["error"] and r["servers"][0]["state"] != "online", r
            f.hook = None
            equal(names(i.online(f)), ["a", "b"])
    with t.case("what cannot be used is left out and counted, the rest is used"), Iisnsd() as i, Fake(
            targets=ONE + group("no name", "192.0.2.1", 3260) + group(N + "c", "0.0.0.0", 3260) + group(N + "f", "fe80::1", 3260) +
            group(N + "d", "224.0.0.1", 3260) + group(N + "e", "192.0.2.1", 0x10000 | 3260)) as f:
        r = i.online(f)
        assert names(r) == ["a"] and r["servers"][0]["left_out"] == 5, r
    with t.case("there is an end to targets, and it is said"), Iisnsd() as i, Fake(
            targets=b"".join(group(N + "%04d" % k, "192.0.2.1", 3260) for k in range(4400))) as f:
        s, = i.online(f)["servers"]
        assert s["targets"] == 4096 and s["is_cut"], s


def asked(t):
    with t.case("the driver's questions are checked, and a waiting one ends in time"), Fake(targets=ONE) as f, Iisnsd() as i:
        for args in ({}, {"servers": "x"}, {"servers": ["a b"]}, {"servers": ["h"] * 9}, {"servers": [3]}, {"name": ""},
                     {"name": "n" * 300}, {"timeout_ms": 0}, {"from": -1}):
            whole = dict({"servers": [], "name": ME, "timeout_ms": 100}, **args) if args else {}
            answer = i.request("follow", **whole)
            assert not answer["ok"] and answer["error"]["code"] == "EINVAL" and answer["error"]["message"], (args, answer)
        equal(i.request("discover")["error"]["code"], "EOPNOTSUPP")
        i.online(f)
        r = i.follow(f, timeout_ms=50)
        equal(names(r), ["a"])
        f.targets = TWO
        answer = i.request("refresh", timeout_ms=20000)
        assert answer["ok"] and answer["result"]["serial"] != r["serial"], answer
        equal(names(i.follow(f)), ["a", "b"])
        for _ in range(32):
            i.send("follow", servers=[f.text], name=ME, alias="host", seen=i.seen, timeout_ms=10000)
        equal(i.request("follow", servers=[f.text], name=ME, alias="host", seen=i.seen, timeout_ms=10000)["error"]["code"], "EBUSY")
    with t.case("start on boot is enabled, shown and disabled"):
        i = Iisnsd()
        program = [i.daemon.argv[0], "--root", i.root]
        for word, code in (("-g", 3), ("-a", 0), ("-g", 0), ("-r", 0), ("-g", 3)):
            proc.run(*program, word, ok=(code,))
        equal(os.path.exists(os.path.join(i.root, "var/lib/openisw/iisnsd.boot")), False)
    with t.case("a configuration that is wrong is refused with its line, a right one counts"):
        out = proc.run(*Iisnsd(config="timeout 5\nrefresh 1\n").daemon.argv, ok=(2,))
        assert "line 2" in out.err and "no number from 5 to 86400" in out.err, out
        with Fake(targets=ONE) as f, Iisnsd(config="scn-port 33987\n") as i:
            i.online(f)
            equal(f.wait(REG).value(SCN_PORT), number(33987))


def main():
    with tap.script() as t:
        for part in (asks, notified, refuses, lies, asked):
            part(t)


main()
