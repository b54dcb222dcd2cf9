"""What a hostile discovery server can make the driver hold, write and do: many names, bad ones, answers without end."""
import signal
import threading
import time

import proc
import tap
from cost import Cost
from fieldtgt import TEXT_RESPONSE, FieldTarget
from initiator import Initiator

NAMES, SHARE = 4096, 1024
LINE_BYTES = 256  # a session that cannot be opened may say so once
NOBODY = "127.0.0.1:1,1"  # where nobody listens


def record(name, address=NOBODY):
    return b"TargetName=%s\0" % name.encode() + (b"TargetAddress=%s\0" % address.encode() if address else b"")


def names(n, prefix="a"):
    return b"".join(record("iqn.2026-11.org.example:%s%05d" % (prefix, i)) for i in range(n))


def answer(portal, pieces):
    """The portal's answer to SendTargets: pieces() is an iterable of them, and the last one is the end."""
    coming = {}

    def on_text(connection, _data):
        if connection not in coming:
            coming[connection] = iter(pieces())
            connection.following = next(coming[connection])
        piece, head = connection.following, connection.head
        connection.following = next(coming[connection], None)
        is_last = connection.following is None
        connection.send(TEXT_RESPONSE, 0x80 if is_last else 0x40, itt=head[16:20], at20=b"\xff" * 4 if is_last else b"\0\0\0\1",
                        data=piece)
        return True
    portal.on_text = on_text


def cut(data, size=8192):
    return [data[i:i + size] for i in range(0, len(data), size)]


def endless(piece):
    def pieces():
        while True:
            yield piece
    return pieces


def scan(initiator, limit=100):
    begin = time.monotonic()
    result = initiator.request("scan", limit=limit)
    return result, time.monotonic() - begin


def add(initiator, portal):
    initiator.command("iscsiutil", "-a", "-I", portal.host, "-P", portal.port)


def failure(result):
    return [f["error"] for f in result["failures"] if f["stage"] == "discovery"]


def main():
    with tap.script() as t, Initiator() as initiator:
        t.show_on_failure(initiator)
        portal = FieldTarget([])
        add(initiator, portal)
        for name, pieces, words in (
                ("an answer of 9 MiB", lambda: cut(b"X-abc=d\0" * (9 << 20 >> 3), 8192), "is longer than"),
                ("an answer without end", endless(b"X-a=" + b"b" * 8000 + b"\0"), "is longer than"),
                ("an answer without end in empty pieces", endless(b""), "goes on beyond"),
                ("records that make no sense", lambda: cut(b"TargetName=not a name\0" * (4 << 20 >> 4)), None)):
            with t.case("%s ends, and the scan says what happened; it costs little" % name, 60):
                answer(portal, pieces)
                with Cost(initiator) as cost:
                    result, took = scan(initiator)
                t.comment("%s: %s; %s" % (name, failure(result), cost))
                if words:
                    assert any(w in e for e in failure(result) for w in words.split("|")), result
                assert took < 20 and cost.memory_mib < 24 and cost.log_bytes < 50000 and cost.event_bytes < 50000, cost
                assert cost.wait < 0.5, cost
        with t.case("%d names from one address: it gets its share, and the scan says so" % NAMES, 60):
            answer(portal, lambda: cut(names(NAMES)))
            result, _ = scan(initiator)
            assert result["sessions"] == {"online": 0, "failed": SHARE}, result["sessions"]
            assert "has named %d addresses of targets, which is its share" % SHARE in str(failure(result)), result
            assert "DiscoveryShare" in str(result["failures"][0]["next"]), result
        with t.case("with a larger share %d names: others are answered meanwhile, and it costs a bounded amount" % NAMES, 120):
            initiator.command("iscsiutil", "-t", "DiscoveryShare", NAMES, "-I", portal.host, "-P", portal.port)
            with Cost(initiator) as cost:
                result, took = scan(initiator)
            t.comment("%d names: %s; %s" % (NAMES, result["sessions"], cost))
            assert result["sessions"] == {"online": 0, "failed": NAMES}, result["sessions"]
            assert 1000 <= len(result["failures"]) <= 1001, len(result["failures"])
            assert cost.memory_mib < 80 and cost.wait < 1, cost
            assert cost.log_bytes < NAMES * LINE_BYTES and cost.event_bytes < NAMES * LINE_BYTES, cost
        for op, member in (("target.list", "targets"), ("stats.get", "sessions")):
            with t.case("%s of all of them comes whole, and others are answered meanwhile" % op):
                with Cost(initiator) as cost:
                    got = initiator.request(op, sessions=True) if op == "stats.get" else initiator.request(op)
                t.comment("%s: %d; %s" % (op, len(got[member]), cost))
                assert len(got[member]) >= NAMES and cost.memory_mib < 32 and cost.wait < 1, cost
        with t.case("one command takes the address away, and all that it has named", 60):
            with Cost(initiator) as cost:
                out = initiator.command("iscsiutil", "-d", "-I", portal.host, "-P", portal.port, "--targets")
            t.comment("removed: %s" % cost)
            assert "%d operational target addresses were deleted" % NAMES in out.out + out.err, out
            assert not initiator.request("target.list")["targets"] and not initiator.request("discovery.list")["targets"]
            assert cost.wait < 1, cost
            add(initiator, portal)
            initiator.command("iscsiutil", "-t", "DiscoveryShare", NAMES)
        with t.case("SIGTERM in the middle of a scan ends the driver in time", 60):
            answer(portal, lambda: cut(names(NAMES, "b")))
            begun = threading.Event()
            asker = threading.Thread(target=scan_quietly, args=(initiator, begun), daemon=True)
            asker.start()
            begun.wait(30)
            begin = time.monotonic()
            initiator.driver.kill(signal.SIGTERM, limit=30)
            t.comment("it ended after %.2f s" % (time.monotonic() - begin))
            assert initiator.driver.process.returncode == 0
            asker.join()


def scan_quietly(initiator, begun):
    """begun: sessions are being opened."""
    try:
        initiator.request("scan", progress=lambda p: begun.set() if p["stage"] == "session" and p["done"] > 100 else None)
    except Exception:
        pass  # the driver is stopped under it


main()
