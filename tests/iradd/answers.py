"""iradd against a RADIUS server of ours that accepts, rejects, keeps silent, forges and lies."""
import os
import re
import socket
import time

import memory
import net
import proc
import radius
import tap
from driver import Iradd
from radius import ACCEPT, CHALLENGE, REJECT, Server, honest, question

SHORT_MS = 400  # for questions whose answer is that there is none


def verdicts(t, iradd):
    with t.case("a right response is accepted, with the server and its words"):
        with Server(lambda r: [r.answer(ACCEPT, (radius.REPLY_MESSAGE, b"welcome\x1b[31m"))]) as s:
            result = iradd.verdict(**question(s.address))
            assert result == {"verdict": "accept", "server": s.address, "reason": "welcome [31m"}, result
    with t.case("a wrong response is rejected"):
        with Server() as s:
            assert iradd.verdict(**question(s.address))["verdict"] == "accept"
            assert iradd.verdict(**question(s.address, password="wrong"))["verdict"] == "reject"
    with t.case("the request carries what RFC 2865 and the guide ask for"):
        with Server() as s:
            iradd.verdict(**question(s.address))
            iradd.verdict(**question(s.address, nas="2001:db8::5"))
            iradd.verdict(**question(s.address, nas="initiator.example"))
            values = [r.values for r in s.requests]
            assert values[0][radius.NAS_IP] == bytes([192, 0, 2, 200])
            assert values[1][radius.NAS_IPV6] == socket.inet_pton(socket.AF_INET6, "2001:db8::5")
            assert values[2][radius.NAS_IDENTIFIER] == b"initiator.example"
            assert all(len({radius.NAS_IP, radius.NAS_IPV6, radius.NAS_IDENTIFIER} & set(v)) == 1 for v in values)
            assert all(v[radius.SERVICE_TYPE] == b"\0\0\0\x08" for v in values)
            assert len({r.authenticator for r in s.requests}) == 3
    with t.case("an Access-Challenge and a grant of another service are rejects"):
        with Server(lambda r: [r.answer(CHALLENGE, (radius.STATE, b"x"))]) as s:
            result = iradd.verdict(**question(s.address))
            assert result["verdict"] == "reject" and "Challenge" in result["reason"], result
        with Server(lambda r: [r.answer(ACCEPT, (radius.SERVICE_TYPE, b"\0\0\0\x02"))]) as s:
            result = iradd.verdict(**question(s.address))
            assert result["verdict"] == "reject" and "Service-Type" in result["reason"], result
    with t.case("attributes that fill a packet, and others' state, do no harm"):
        many = [(radius.PROXY_STATE, os.urandom(253))] * 15 + [(199, os.urandom(200)), (200, b"")]
        with Server(lambda r: [r.answer(ACCEPT, *many)]) as s:
            assert iradd.verdict(**question(s.address))["verdict"] == "accept"


def identifiers(t):
    with t.case("identifiers count up from -i and go round"):
        with Iradd("-i", "254", name="identifiers") as iradd, Server() as s:
            for _ in range(4):
                iradd.verdict(**question(s.address))
            assert [r.identifier for r in s.requests] == [254, 255, 0, 1]


def silence(t, iradd):
    with t.case("a packet that is not answered is sent again, the same"):
        with Server(lambda r: honest(r) if len(s.requests) == 2 else []) as s:
            assert iradd.verdict(**question(s.address))["verdict"] == "accept"
            assert s.requests[0].data == s.requests[1].data
    with t.case("silence ends after the retries, long before the time is over"):
        with Server(lambda r: []) as s:
            text = iradd.failure("ETIMEDOUT", **question(s.address, timeout_ms=60000))
            assert len(s.requests) == 2 and "2 packets" in text and s.address in text, text
    with t.case("silence ends in time when that is shorter"):
        start = time.monotonic()
        with Server(lambda r: []) as s:
            iradd.failure("ETIMEDOUT", **question(s.address, timeout_ms=SHORT_MS))
        assert SHORT_MS / 1000 <= time.monotonic() - start < 5


def lies(t, iradd):
    def other_port(r):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.bind(("127.0.0.1", 0))
            return [(liar.dup(), r.answer(ACCEPT))]
    forged = {
        "with another secret": lambda r: r.answer(ACCEPT, secret="another"),
        "with a wrong Message-Authenticator": lambda r: r.answer(
            ACCEPT, (radius.MESSAGE_AUTHENTICATOR, bytes(16)), mac=False),
        "without Message-Authenticator": lambda r: r.answer(ACCEPT, mac=False),
        "that is cut": lambda r: r.answer(ACCEPT)[:-1],
        "with an attribute of length 0": lambda r: r.answer(ACCEPT, mac=False)[:20] + b"\x12\0",
        "of 60000 bytes": lambda r: os.urandom(60000),
    }
    for what, lie in forged.items():
        with t.case("an answer %s is dropped and said" % what):
            with Server(lambda r, lie=lie: [lie(r)]) as s:
                text = iradd.failure("EBADMSG", **question(s.address, timeout_ms=SHORT_MS))
                assert "1 answer dropped" in text and s.address in text, text
        with t.case("the right answer behind one %s counts" % what):
            with Server(lambda r, lie=lie: [lie(r)] * 3 + honest(r)) as s:
                assert iradd.verdict(**question(s.address, password="wrong"))["verdict"] == "reject"
    with t.case("an answer with another identifier is ignored"):
        with Server(lambda r: [r.answer(ACCEPT, identifier=(r.identifier + 1) & 255)]) as s:
            iradd.failure("ETIMEDOUT", **question(s.address, timeout_ms=SHORT_MS))
    with t.case("an answer from another port is ignored"):
        with Server(other_port) as s:
            iradd.failure("ETIMEDOUT", **question(s.address, timeout_ms=SHORT_MS))
        with Server(lambda r: other_port(r) + honest(r)) as s:
            assert iradd.verdict(**question(s.address, password="wrong"))["verdict"] == "reject"
    with t.case("a flood of nonsense does not hide the right answer"):
        with Server(lambda r: [os.urandom(n) for n in range(0, 200)] + honest(r)) as s:
            assert iradd.verdict(**question(s.address))["verdict"] == "accept"
    with t.case("what was dropped is counted"):
        counted = iradd.statistics()
        assert all(counted[n] > 0 for n in ("asked", "accepted", "rejected", "asked_more", "misgranted", "silent", "forged",
                                            "unsigned", "malformed", "stray")), counted


def old_servers(t):
    with t.case("--allow-no-message-authenticator takes such an answer, but none with a Proxy-State"):
        with Iradd("--allow-no-message-authenticator", name="old") as iradd:
            with Server(lambda r: [r.answer(ACCEPT, mac=False)]) as s:
                assert iradd.verdict(**question(s.address))["verdict"] == "accept"
            with Server(lambda r: [r.answer(ACCEPT, (radius.PROXY_STATE, b"x" * 50), mac=False)]) as s:
                iradd.failure("EBADMSG", **question(s.address, timeout_ms=SHORT_MS))
            assert "CVE-2024-3596" in "\n".join(iradd.tail())


def several(t, iradd):
    nobody = "127.0.0.1:%d" % net.free_port()
    with t.case("a server that is down costs no time"):
        start = time.monotonic()
        with Server() as s:
            assert iradd.verdict(**question("", servers=[nobody, s.address]))["server"] == s.address
        assert "nothing listens" in iradd.failure("ECONNREFUSED", **question(nobody))
        assert time.monotonic() - start < 0.9
    with t.case("a silent server has its share of the time, then the next is asked"):
        with Server(lambda r: []) as deaf, Server() as s:
            result = iradd.verdict(**question(deaf.address + "," + s.address, timeout_ms=2 * SHORT_MS))
            assert result["server"] == s.address and len(deaf.requests) == 1
            assert deaf.requests[0].authenticator != s.requests[0].authenticator
    with t.case("a forging server does not keep the next from being asked"):
        with Server(lambda r: [r.answer(ACCEPT, secret="x")]) as liar, Server() as s:
            args = question(liar.address + " " + s.address, password="wrong", timeout_ms=2 * SHORT_MS)
            assert iradd.verdict(**args)["verdict"] == "reject"
    with t.case("servers have IPv6 addresses and names"):
        with Server(host="::1") as s:
            assert iradd.verdict(**question(s.address))["server"] == s.address
        with Server() as s:
            result = iradd.verdict(**question("localhost:%d" % s.port))
            assert result["verdict"] == "accept" and re.match(r"localhost \(127", result["server"]), result
    with t.case("a name that cannot be looked up is passed over in time"):
        start = time.monotonic()
        with Server() as s:
            assert iradd.verdict(**question("radius.invalid," + s.address, timeout_ms=3000))["server"] == s.address
        assert time.monotonic() - start < 3


def many(t, iradd):
    with t.case("two hundred questions at once are answered, each with its own verdict"):
        waiting = []

        def backwards(r):
            waiting.append(r)
            return []
        with Server(backwards) as s:
            asked = [iradd.send("verify", **question(s.address, password="wrong" if n % 3 else "a target's secret"))
                     for n in range(200)]
            proc.wait_for("all questions", lambda: len({r.authenticator for r in waiting}) == 200)
            s.answers = honest  # to what is sent again
            for n, number in enumerate(asked):
                answer = iradd.wait(number)
                assert answer["result"]["verdict"] == ("reject" if n % 3 else "accept"), (n, answer)


def driver_side(t, iradd):
    with t.case("a question that is cancelled is given up"):
        with Server(lambda r: []) as s:
            number = iradd.send("verify", **question(s.address))
            proc.wait_for("the packet", lambda: s.requests)
            iradd.send("cancel", of=number)
            assert iradd.wait(number)["error"]["code"] == "ECANCELED"
    with t.case("a driver that is restarted is found"):
        with Server() as s:
            iradd.send("verify", **question("127.0.0.1:%d" % net.free_port()))
            iradd.hang_up()
            iradd.listen()
            iradd.accept()
            assert iradd.verdict(**question(s.address))["verdict"] == "accept"
    with t.case("wrong arguments are refused"):
        assert "server" in iradd.failure("EINVAL", **question(""))
        assert iradd.ask("frobnicate")["error"]["code"] == "EOPNOTSUPP"


def secrets(t, iradd):
    with t.case("the NAS secret and the response are in no argument, no log, and no memory afterwards"):
        secret = "Zu7:unmistakable-secret"
        with Server(lambda r: [], secret=secret) as s:
            args = question(s.address, nas_secret=secret, timeout_ms=SHORT_MS)
            number = iradd.send("verify", **args)
            proc.wait_for("the packet", lambda: s.requests)
            held = memory.count(iradd.daemon.pid, secret) if memory.can_look(iradd.program) else 0
            assert iradd.wait(number)["error"]["code"] == "ETIMEDOUT"
        with open(iradd.log) as f:
            text = f.read()
        with open("/proc/%d/cmdline" % iradd.daemon.pid) as f:
            text += f.read()
        for word in (secret, args["response"], radius.NAS_SECRET):
            assert word not in text, "%s in the log" % word
        memory.need_sight(iradd.program)
        assert held, "the secret was not even found while it was needed: this test sees nothing"
        for word in (secret, args["response"], radius.NAS_SECRET):
            assert memory.count(iradd.daemon.pid, word) == 0, "%s is still in memory" % word


def configured(t):
    def conf(iradd, text):
        folder = os.path.join(iradd.root, "etc", "openisw")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "iradd.conf"), "w") as f:
            f.write(text)
    with t.case("what iradd.conf says counts at every start; an option counts more"):
        kept, said = Iradd(name="kept"), Iradd("-r", "0", name="said")
        for made, packets in ((kept, 3), (said, 1)):
            conf(made, "# as the site wants it\nretries 2\ntimeout 1\nid 77\n")
            with made as iradd, Server(lambda r: []) as s:
                iradd.failure("ETIMEDOUT", **question(s.address, timeout_ms=20000))
                assert len(s.requests) == packets and s.requests[0].identifier == 77, s.requests
    with t.case("a line that is wrong is told with its number, and nothing is started"):
        wrong = Iradd(name="wrong")
        conf(wrong, "retries 2\ntimeout never\n")
        out = proc.run(wrong.program, "--root", wrong.root, ok=None)
        assert out.code == 2 and "iradd.conf, line 2: " in out.err, out


def boot(t):
    with t.case("once started it is started on boot, until it is told not to be"):
        fresh = Iradd(name="boot")

        def run(*words):
            return proc.run(fresh.program, "--root", fresh.root, *words, ok=None).code
        assert run("-g") == 3
        assert run() == 0
        try:
            assert run("-g") == 0 and run("--status") == 0
        finally:
            assert run("--stop") == 0
        assert run("-g") == 0
        assert run("--no-boot") == 0 and run("-g") == 3
        assert run("--retries=-1") == 2 and run("-t", "0") == 2 and run("-i", "x") == 2


with tap.script() as t:
    with Iradd("-t", "1", "-r", "1", "-i", "7") as iradd:
        t.show_on_failure(iradd)
        verdicts(t, iradd)
        silence(t, iradd)
        lies(t, iradd)
        several(t, iradd)
        many(t, iradd)
        driver_side(t, iradd)
        secrets(t, iradd)
    identifiers(t)
    old_servers(t)
    configured(t)
    boot(t)
