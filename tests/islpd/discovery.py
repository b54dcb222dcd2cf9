"""islpd against agents that were written for the tests: what is found, by which way, and which lies are survived."""
import socket
import struct
import time

import agent
import box
import net
import proc
import tap
from agent import SRV_RPLY, SRV_RQST, ATTR_RQST, ATTR_RPLY, TYPE, Agent, entry, message, text
from link import PROGRAM, Islpd

NAME = "iqn.2001-04.com.example:"
PORT = net.free_port()
ONLY = ("--port", PORT, "--no-multicast")
# Time limits: generous where the answer should come at once, short where somebody is silent on purpose.
LONG, SHORT = 20000, 1500


def url(name, host="192.0.2.1", port=3260):
    return "%s://%s:%d/%s%s" % (TYPE, host, port, NAME, name)


def names(result):
    return sorted(t["name"][len(NAME):] for t in result["targets"])


def da(number, **kw):
    return Agent("127.0.0.%d" % number, PORT, **kw)


def equal(got, want):
    assert got == want, "got %r, wanted %r" % (got, want)


def noted(result, words):
    assert any(words in n for n in result["notes"]), "no note says %r: %s" % (words, result["notes"])


def unicast(t):
    with t.case("a configured directory agent gives targets with tag and alias"):
        attrs = {url("a"): "(iscsi-name=%sa),(portal-group=7),(transports=tcp),(alias=disk\\2c one)" % NAME,
                 url("b", "[2001:db8::5]", 3261): "(portal-group=0)", url("c", "host.example"): ""}
        with da(2, services=list(attrs), attrs=attrs) as a, Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(LONG)
            equal(r["targets"], [
                {"name": NAME + "a", "address": "192.0.2.1", "port": 3260, "tpgt": 7, "alias": "disk, one"},
                {"name": NAME + "b", "address": "2001:db8::5", "port": 3261, "tpgt": 0},
                {"name": NAME + "c", "address": "host.example", "port": 3260, "tpgt": 1}])
            equal(r["agents"], [{"address": "127.0.0.2:%d" % PORT, "directory": True, "scopes": ["default"],
                                 "targets": 3, "error": None}])
            noted(r, "no portal group tag for 1 of its targets")
            equal([q.scopes for q in a.asked(SRV_RQST)], ["", "default"])
            equal({q.filter for q in a.asked(ATTR_RQST)}, {"iscsi-name,portal-group,transports,mgmt-entity,alias"})

    with t.case("the configuration file names agents, port and multicast, and an IPv6 agent is asked"):
        config = "# SLP\nport %d\nmulticast no\n\nda [::1]:%d # the only one\n" % (PORT + 1, PORT)
        with Agent("::1", PORT, services=[url("a")]) as a, Islpd(config=config) as i:
            r = i.discover(LONG)
            equal(names(r), ["a"])
            equal(r["agents"][0]["address"], "[::1]:%d" % PORT)

    with t.case("agents are configured by name, too; one that does not exist is said"):
        with da(1, services=[url("a")]), Islpd("--da", "localhost", "--da", "agent.invalid", *ONLY) as i:
            r = i.discover(LONG)
            equal(names(r), ["a"])
            noted(r, "the agent agent.invalid cannot be asked: ")

    with t.case("a service agent that is configured is asked itself"):
        with da(2, directory=False, services=[url("a")]), Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(LONG)
            equal(names(r), ["a"])
            equal(r["agents"][0]["directory"], False)

    with t.case("a service agent that is configured is asked also where it is silent about directory agents"):
        def only_services(_, q, right):
            return [None if q.what == "service:directory-agent" else right]
        agent = da(2, directory=False, services=[url("a")], hook=only_services)
        with agent, Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(SHORT)
            equal(names(r), ["a"])
            equal((r["agents"][0]["directory"], r["agents"][0]["error"]), (False, None))

    with t.case("one name is searched by a predicate"):
        with da(2, services=[url("a"), url("b")]), Islpd("--da", "127.0.0.2", *ONLY) as i:
            equal(names(i.discover(LONG, name=NAME + "b")), ["b"])


def several(t):
    with t.case("two directory agents are merged without doubles, each asked for its scopes"):
        one = da(2, scopes=("x", "default"), services=[url("a"), url("b")])
        two = da(3, scopes=("Y", "Z"), services=[url("b"), url("c"), url("b", "192.0.2.2"), url("c") + "/identity"])
        with one, two, Islpd("--da", "127.0.0.2", "--da", "127.0.0.3", *ONLY) as i:
            r = i.discover(LONG, scopes=["X", "y", "a,b"])
            equal(sorted((x["name"][len(NAME):], x["address"]) for x in r["targets"]),
                  [("a", "192.0.2.1"), ("b", "192.0.2.1"), ("b", "192.0.2.2"), ("c", "192.0.2.1")])
            equal([q.scopes for q in one.asked(SRV_RQST, TYPE)], ["X"])
            equal([q.scopes for q in two.asked(SRV_RQST, TYPE)], ["y"])

    with t.case("scopes may be one string with commas; one that nobody serves is said"):
        with da(2, scopes=("x", "y")) as a, Islpd("--da", "127.0.0.2", *ONLY) as i:
            equal(i.discover(LONG, scopes=" x , y")["targets"], [])
            equal(a.asked(SRV_RQST, TYPE)[0].scopes, "x,y")
            r = i.discover(LONG, scopes="z")
            equal(r["agents"][0]["error"], "it serves none of the scopes")
            noted(r, "no SLP agent serves the scopes z")

    with t.case("an agent that never answers does not delay the others' targets beyond the time limit"):
        silent = da(3, hook=lambda *_: [])
        with da(2, services=[url("a")]), silent, Islpd("--da", "127.0.0.2", "--da", "127.0.0.3", *ONLY) as i:
            begin = time.monotonic()
            r = i.discover(SHORT)
            assert time.monotonic() - begin < SHORT / 1000, "it took too long"
            equal(names(r), ["a"])
            equal(r["agents"][1]["error"], "it does not answer")
            # RFC 2608, 6.3: as long as there is time.
            assert len(silent.asked(SRV_RQST, TYPE)) >= 3, "nothing was sent again"
            for what in ("service:directory-agent", TYPE):
                equal(len({q.raw for q in silent.asked(SRV_RQST, what)}), 1)    # the same request, with the same XID

    with t.case("where nobody listens it is said at once"):
        with Islpd("--da", "127.0.0.4", *ONLY) as i:
            begin = time.monotonic()
            r = i.discover(LONG)
            assert time.monotonic() - begin < 10, "it took too long"
            equal(r["agents"][0]["error"], "nobody answers at this address and port")


def overflow(t):
    many = [url("disk%03d" % n) for n in range(300)]
    attrs = {u: "(portal-group=%d)" % n for n, u in enumerate(many)}
    with t.case("a reply that overflows is fetched by TCP, with the same XID"):
        with da(2, services=many, attrs=attrs) as a, Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(LONG)
            equal([x["tpgt"] for x in r["targets"]], list(range(300)))
            equal(a.asked(SRV_RQST, TYPE, tcp=True)[0].raw, a.asked(SRV_RQST, TYPE, tcp=False)[0].raw)
            equal(r["notes"], [])

    with t.case("without TCP what fitted the datagram is used, and said"):
        with da(2, services=many, tcp=False) as a, Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(LONG)
            assert 0 < len(r["targets"]) < 30, len(r["targets"])
            noted(r, "could not be asked by TCP: some are missing")

    with t.case("TCP that is silent, breaks off or promises too much ends in time with what fitted"):
        for reply in ([], [b"\2"], [message(SRV_RPLY, 0, b"", length=0xffffff) + b"x" * 100000],
                      [b"HTTP/1.1 400 Bad Request\r\n\r\n"], [message(SRV_RPLY, 1, struct.pack(">HH", 0, 0))]):
            def lie(_, q, right, reply=reply):
                return reply if q.tcp else [right]
            with da(2, services=many, hook=lie), Islpd("--da", "127.0.0.2", *ONLY) as i:
                r = i.discover(SHORT)
                assert 0 < len(r["targets"]) < 30, len(r["targets"])

    with t.case("an answer that is larger than a datagram of the driver is cut, and said"):
        huge = [url("d" * 150 + "%04d" % n) for n in range(2000)]
        with da(2, services=huge, attrs={}), Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(60000)
            assert 100 < len(r["targets"]) < 2000, len(r["targets"])
            noted(r, "%d targets more do not fit the answer" % (2000 - len(r["targets"])))


def lies(t):
    def before(*wrong):
        """Sends these instead of every first reply to a request; the right one when it is asked again."""
        seen = set()

        def hook(_, q, right):
            if q.raw in seen:
                return [right]
            seen.add(q.raw)
            return [w(q, right) for w in wrong]
        return hook

    good = struct.pack(">HH", 0, 1) + entry(url("evil"))
    wrong = {
        "nothing": lambda q, r: b"",
        "noise": lambda q, r: bytes(range(256)),
        "a wrong XID": lambda q, r: message(SRV_RPLY, q.xid ^ 1, good),
        "XID 0": lambda q, r: message(SRV_RPLY, 0, good),
        "a length too large": lambda q, r: message(SRV_RPLY, q.xid, good, length=5000),
        "a length too small": lambda q, r: message(SRV_RPLY, q.xid, good, length=20),
        "version 1": lambda q, r: b"\1" + message(SRV_RPLY, q.xid, good)[1:],
        "another kind": lambda q, r: message(ATTR_RPLY, q.xid, good),
        "a request": lambda q, r: q.raw,
        "too many entries": lambda q, r: message(SRV_RPLY, q.xid, struct.pack(">HH", 0, 99) + entry(url("evil"))),
        "bytes behind the end": lambda q, r: message(SRV_RPLY, q.xid, good + b"x"),
        "a URL beyond the end": lambda q, r: message(SRV_RPLY, q.xid, struct.pack(">HHBHH", 0, 1, 0, 1, 60000)),
        "an extension that must be understood": lambda q, r: message(SRV_RPLY, q.xid, good)[:7] +
        len(message(SRV_RPLY, q.xid, good)).to_bytes(3, "big") + message(SRV_RPLY, q.xid, good)[10:] +
        struct.pack(">HBH", 0x4001, 0, 0),
        "a malformed language": lambda q, r: message(SRV_RPLY, q.xid, good, language="e\n"),
    }
    for what, make in wrong.items():
        with t.case("not the reply: " + what):
            with da(2, services=[url("a")], hook=before(make)), Islpd("--da", "127.0.0.2", *ONLY) as i:
                equal(names(i.discover(4000)), ["a"])

    with t.case("all of it in one burst, and every right reply cut at every length"):
        def hook(_, q, right):
            return [w(q, right) for w in wrong.values()] + [right[:n] for n in range(len(right))] + [right]
        with da(2, services=[url("a")], hook=hook), Islpd("--da", "127.0.0.2", *ONLY) as i:
            equal(names(i.discover(LONG)), ["a"])

    with t.case("a reply from another address is not heard"):
        def forge(a, q, right):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.0.66", PORT))
                s.sendto(message(SRV_RPLY, q.xid, good), q.peer)
            return [right]
        with da(2, services=[url("a")], hook=forge), Islpd("--da", "127.0.0.2", *ONLY) as i:
            equal(names(i.discover(LONG)), ["a"])

    with t.case("an agent that is busy is asked again"):
        busy = before(lambda q, r: message(r[1], q.xid, struct.pack(">H", agent.BUSY)))
        with da(2, services=[url("a")], hook=busy), Islpd("--da", "127.0.0.2", *ONLY) as i:
            equal(names(i.discover(4000)), ["a"])

    with t.case("an error is reported with its meaning"):
        def hook(_, q, right):
            return [message(SRV_RPLY, q.xid, struct.pack(">H", agent.PARSE_ERROR)) if q.what == TYPE else right]
        with da(2, hook=hook), Islpd("--da", "127.0.0.2", *ONLY) as i:
            equal(i.discover(LONG)["agents"][0]["error"], "it did not understand the request")

    with t.case("URLs that are no targets are left out and counted"):
        bad = [TYPE + "://0.0.0.0/" + NAME + "a", TYPE + "://192.0.2.1:99999/" + NAME + "a", TYPE + "://192.0.2.1/",
               "http://192.0.2.1/", TYPE + "://192.0.2.1/IQN.bad name", TYPE + "://192.0.2.1/" + NAME + "a_b",
               b"\xff\xfe", "x" * 5000, TYPE + "://192.0.2.1/" + NAME + "x" * 300]
        with da(2, services=bad + [url("a")], mtu=60000), Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(LONG)
            equal(names(r), ["a"])
            noted(r, "3 URLs left out: the name in the URL is no valid iSCSI name")
            noted(r, "\"%s\", says 127.0.0.2:%d" % (TYPE + "://0.0.0.0/" + NAME + "a", PORT))

    with t.case("attributes that contradict the URL, or rule TCP out, leave the target out"):
        attrs = {url("a"): "(iscsi-name=%sother)" % NAME, url("b"): "(transports=sctp)", url("c"): "((malformed",
                 url("d"): "(portal-group=70000)"}
        with da(2, services=list(attrs), attrs=attrs), Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(LONG)
            equal([(x["name"], x["tpgt"]) for x in r["targets"]], [(NAME + "c", 1), (NAME + "d", 1)])
            noted(r, "its attribute iscsi-name is another than the name in its URL")
            noted(r, "it cannot be reached by TCP")

    with t.case("an agent without attributes is asked for them in vain once, not for every target"):
        def mute(_, q, right):
            return [None if q.function == ATTR_RQST else right]
        with da(2, services=[url("d%d" % n) for n in range(19)], hook=mute) as a, \
                Islpd("--da", "127.0.0.2", *ONLY) as i:
            r = i.discover(SHORT)
            equal(len(r["targets"]), 19)
            assert len({q.what for q in a.asked(ATTR_RQST)}) <= 16
            noted(r, "no portal group tag for 19 of its targets")


def requests(t):
    with t.case("wrong arguments are refused with a sentence"):
        with Islpd(*ONLY) as i:
            for args in ({"scopes": 7}, {"scopes": ["x", 7]}, {"scopes": [""]}, {"scopes": ["x" * 200]},
                         {"scopes": ["s%d" % n for n in range(99)]}, {"timeout_ms": 0}, {"timeout_ms": "1"},
                         {"name": "disk"}, {"name": 7}):
                a = i.ask(**args)
                assert not a["ok"] and a["error"]["code"] == "EINVAL" and a["error"]["message"], (args, a)
            i.send("verify")
            equal(i.receive()["error"]["code"], "EOPNOTSUPP")

    with t.case("the shortest time limit is kept, too"):
        with da(2, hook=lambda *_: []), Islpd("--da", "127.0.0.2", *ONLY) as i:
            begin = time.monotonic()
            equal(i.discover(1)["targets"], [])
            assert time.monotonic() - begin < 1, "it took too long"

    with t.case("discoveries go on side by side up to a limit, and end when they are cancelled"):
        with da(2, hook=lambda *_: []), Islpd("--da", "127.0.0.2", *ONLY) as i:
            ids = [i.send("discover", timeout_ms=60000) for _ in range(9)]
            a = i.receive()
            equal((a["id"], a["error"]["code"]), (ids[8], "EBUSY"))
            for number in ids[:8]:
                i.send("cancel", of=number)
            codes = {}
            while len(codes) < 8:
                a = i.receive()
                if a["id"] in ids:
                    codes[a["id"]] = a["error"]["code"]
            equal(set(codes.values()), {"ECANCELED"})

    with t.case("it outlives the driver and works for the next one"):
        with da(2, services=[url("a")]), Islpd("--da", "127.0.0.2", *ONLY) as i:
            i.send("discover", timeout_ms=60000)
            i.link.close()
            i.accept()
            equal(names(i.discover(LONG)), ["a"])

    with t.case("after it has started it holds and makes no file but its pid file"):
        with da(2, services=[url("a")]), Islpd("--da", "127.0.0.2", *ONLY) as i:
            before = proc.run("find", i.root).out
            i.discover(LONG)
            equal(proc.run("find", i.root).out, before)
            held = proc.run("find", "/proc/%d/fd" % i.daemon.pid, "-lname", i.root + "/*", "-printf", "%l\n").out.split()
            equal(sorted(set(held)), [i.root + "/log", i.root + "/run/openisw/islpd.pid"])

    with t.case("a wrong configuration is refused with file and line"):
        for line in ("da", "da 1.2.3.4 5", "da 300.1.1.1", "da [::1", "port 0", "multicast maybe", "colour red"):
            i = Islpd(config="# one\n" + line + "\n")
            r = proc.run(*i.daemon.argv, ok=(2,))
            assert "islpd.conf, line 2: " in r.err, r
            i.listener.close()
        r = proc.run(i.daemon.argv[0], "--root", i.root + "x", "--da", "1.2.3.4:0", ok=(2,))
        assert "--da: " in r.err, r


def multicast(t):
    ask = ("--port", PORT)
    with t.case("without any network it is said so, for the driver to be silent about"):
        if not box.isolated():
            raise tap.Skip("no namespaces here")
        with Islpd(*ask) as i:
            equal(i.ask(SHORT)["error"]["code"], "ENETUNREACH")
    if not box.isolated():
        return
    proc.run("ip", "link", "add", "slp0", "type", "veth", "peer", "name", "slp1")
    for end in ("slp0", "slp1"):
        proc.run("ip", "link", "set", end, "up")
    for n in (11, 12, 13):
        proc.run("ip", "address", "add", "10.9.0.%d/24" % n, "dev", "slp0")
        proc.run("ip", "address", "add", "fd09::%d/64" % n, "dev", "slp0", "nodad")
    proc.wait_for("addresses that can be used", lambda: "tentative" not in proc.run("ip", "address").out)

    def there(n, **kw):
        return Agent("10.9.0.%d" % n, PORT, interface="slp0", **kw)

    with t.case("directory agents are found by multicast and named as previous responders"):
        one = there(11, services=[url("a"), url("b")])
        two = there(12, services=[url("b"), url("c")])
        with one, two, Islpd(*ask) as i:
            r = i.discover(4000)
            equal(names(r), ["a", "b", "c"])
            equal(sorted(x["address"] for x in r["agents"]), ["10.9.0.11:%d" % PORT, "10.9.0.12:%d" % PORT])
            asked = [q for q in one.asked(SRV_RQST, "service:directory-agent") if q.multicast]
            equal(asked[0].responders, "")
            equal(sorted(asked[-1].responders.split(",")), ["10.9.0.11", "10.9.0.12"])
            equal(len({q.xid for q in asked}), 1)
            equal(asked[0].scopes, "default")
            # With directory agents for all scopes, nobody asks service agents.
            assert not [q for q in one.asked(SRV_RQST, TYPE) if q.multicast]

    with t.case("a request that was lost is sent again"):
        seen = []

        def deaf(_, q, right):
            seen.append(q)
            return [right if len(seen) > 1 else None]
        with there(11, services=[url("a")], hook=deaf), Islpd(*ask) as i:
            equal(names(i.discover(4000)), ["a"])

    with t.case("directory agents that go down, have other scopes or lie about what they are are not asked"):
        def lie(_, q, right):
            return [right.replace(b"service:directory-agent", b"service:directory-agenx")]
        with there(11, boot_time=0, services=[url("a")]), there(12, hook=lie, services=[url("b")]) as b, \
                there(13, services=[url("c")]) as c, Islpd(*ask) as i:
            r = i.discover(4000)
            equal(names(r), ["c"])
            noted(r, "10.9.0.11:%d is not asked: it is going down" % PORT)
            assert not b.asked(SRV_RQST, TYPE)

    with t.case("without a directory agent service agents answer, by TCP where a datagram is too small"):
        many = [url("disk%03d" % n, "192.0.2.9") for n in range(100)]
        with there(11, directory=False, services=[url("a")], attrs={url("a"): "(portal-group=5)"}), \
                there(12, directory=False, services=many) as b, Islpd(*ask) as i:
            r = i.discover(4000)
            equal(len(r["targets"]), 101)
            equal([x["tpgt"] for x in r["targets"] if x["name"] == NAME + "a"], [5])
            equal([x["directory"] for x in r["agents"]], [False, False])
            assert b.asked(SRV_RQST, TYPE, tcp=True)

    with t.case("service agents are asked only for scopes that no directory agent serves"):
        with there(11, scopes=("x",), services=[url("a")]), \
                there(12, scopes=("x", "y"), directory=False, services=[url("b")]) as sa, Islpd(*ask) as i:
            r = i.discover(4000, scopes=["x", "y"])
            equal(names(r), ["a", "b"])
            equal({q.scopes for q in sa.asked(SRV_RQST, TYPE)}, {"y"})

    with t.case("a configured agent that is dead does not keep others from being found"):
        with there(11, services=[url("a")]), there(12, hook=lambda *_: []), Islpd("--da", "10.9.0.12", *ask) as i:
            equal(names(i.discover(4000)), ["a"])

    with t.case("a configured agent that serves all scopes makes multicast needless"):
        with there(11, services=[url("a")]), there(12, services=[url("b")]) as b, Islpd("--da", "10.9.0.11", *ask) as i:
            equal(names(i.discover(LONG)), ["a"])
            equal(b.asked(), [])

    with t.case("agents are found by IPv6 multicast, with IPv6 addresses as previous responders"):
        with Agent("fd09::11", PORT, interface="slp0", services=[url("a")]) as a, Islpd(*ask) as i:
            r = i.discover(4000)
            equal(names(r), ["a"])
            equal(r["agents"][0]["address"], "[fd09::11]:%d" % PORT)
            responders = [q.responders for q in a.asked(SRV_RQST, "service:directory-agent") if q.multicast]
            assert "" in responders and "fd09::11" in responders, responders
        with Agent("fd09::12", PORT, interface="slp0", directory=False, services=[url("b")]), Islpd(*ask) as i:
            equal(names(i.discover(4000)), ["b"])

    with t.case("a flood of forged answers is survived"):
        def flood(a, q, right):
            if not q.multicast:
                return [right]
            return [message(SRV_RPLY, n, struct.pack(">HH", 0, 1) + entry(url("evil"))) for n in range(1, 500)
                    if n != q.xid] + [right]
        with there(11, services=[url("a")], hook=flood), Islpd(*ask) as i:
            equal(names(i.discover(4000)), ["a"])


with tap.script() as t:
    unicast(t)
    several(t)
    overflow(t)
    lies(t)
    requests(t)
    multicast(t)
