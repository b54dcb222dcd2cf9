"""Wrong words, wrong peers: a sentence with the cause and the next step, an exit status, nothing changed, nobody delayed."""
import os
import re
import socket

import net
import proc
import tap
from initiator import Initiator
from tgt import Tgt

# Exit statuses that the manual pages document.
FAILED, USAGE, NOT_RUNNING, PARTLY, NOT_THERE = 1, 2, 3, 4, 6
# Command lines of iscsiutil that are wrong, and a word of the sentence that must come.
WRONG = [
    (["-x"], "-x"),
    (["--no-such-option"], "no-such-option"),
    (["-a"], "-I"),
    (["-a", "-I"], "-I"),
    (["-a", "-I", "999.1.1.1"], "999.1.1.1"),
    (["-a", "-I", "host name"], "host name"),
    (["-a", "-I", "-"], "-"),
    (["-a", "-I", "127.0.0.1", "-P", "0"], "0"),
    (["-a", "-I", "127.0.0.1", "-P", "65536"], "65536"),
    (["-a", "-I", "127.0.0.1", "-P", "3260x"], "3260x"),
    (["-a", "-I", "127.0.0.1", "-M", "65536"], "65536"),
    (["-a", "-I", "127.0.0.1", "-M", "-1"], "-1"),
    (["-d", "-I", "127.0.0.9"], "127.0.0.9", NOT_THERE),
    (["-i"], "-N"),
    (["-i", "-N", ""], "name"),
    (["-i", "-N", "storage1"], "storage1"),
    (["-i", "-N", "iqn.2026-13.org.example:x"], "2026-13"),
    (["-i", "-N", "iqn.2026-11.org.example:a b"], "iqn.2026-11.org.example:a b"),
    (["-i", "-N", "eui.0123"], "eui"),
    (["-i", "-N", "iqn.2026-11.org.example:" + "x" * 230], "223"),
    (["-n", "-S", "77"], "77", NOT_THERE),
    (["-n", "-S", "0", "-L", "4097"], "4097"),
    (["-p", "-T", "iqn.2026-11.org.example:nobody"], "nobody", NOT_THERE),
]


def one_sentence(result, word, status=USAGE):
    """A refusal: its status, a complaint on stderr that names what was wrong, no trace of a crash."""
    assert result.code == status, "status %d expected: %s" % (status, result)
    assert word.lower() in result.err.lower(), "no word of %r in: %s" % (word, result)
    assert re.search(r"[a-z]{3,} [a-z]", result.err), "no sentence: %s" % result
    assert "Sanitizer" not in result.err, result


def settings(initiator):
    return [initiator.request(op) for op in ("initiator.get", "discovery.list", "target.list")]


def wrong_words(t, initiator):
    before = settings(initiator)
    for words, word, *status in WRONG:
        with t.case("iscsiutil %s is refused" % " ".join(repr(w) if " " in w or not w else w[:40] for w in words)):
            one_sentence(initiator.command("iscsiutil", *words, ok=None), word, *status)
    for command, words in (("ioscan", ["-Z"]), ("ioscan", ["-H", "x/y"]), ("insf", ["-Z"]), ("insf", ["-H", "x"]),
                           ("rmsf", ["-Z"]), ("rmsf", ["-H", "x"])):
        with t.case("%s %s is refused" % (command, " ".join(words))):
            one_sentence(initiator.command(command, *words, ok=None), words[-1])
    with t.case("nothing of it changed any setting"):
        assert settings(initiator) == before


def not_running(t):
    with t.case("without a driver every command says so, and how to start it"):
        idle = Initiator("idle")
        for command in (["iscsiutil", "-l"], ["iscsiutil", "-a", "-I", "127.0.0.1"], ["ioscan"], ["insf", "-H", "255"],
                        ["rmsf", "-H", "255"]):
            result = idle.command(*command, ok=None, limit=20)
            one_sentence(result, "driver", NOT_RUNNING)
            assert "iscsi start" in result.err, result


def bad_portals(t, initiator, tgt):
    refusing = socket.socket()
    refusing.bind(("127.0.0.1", 0))  # bound and not listening: connecting is refused, and nobody else gets the port
    with refusing, net.Silent() as silent, net.Http() as http, net.Closing() as closing:
        peers = {"refusing": refusing.getsockname()[1], "silent": silent.port, "http": http.port, "closing": closing.port}
        for port in peers.values():
            initiator.command("iscsiutil", "-a", "-I", "127.0.0.1", "-P", port)
        initiator.command("iscsiutil", "-a", "-I", "127.0.0.1", "-P", tgt.port)
        seen = []
        with t.case("a good portal beside four bad ones: its disk is there before the silent one is given up", 120):
            result = initiator.request("scan", limit=100, progress=seen.append)
            disk = initiator.disk("good", 1)
            assert os.path.exists(disk["file"]), disk
            good = next(i for i, p in enumerate(seen) if p["stage"] == "luns" and p["ok"])
            given_up = next(i for i, p in enumerate(seen) if str(silent.port) in str(p["what"]) and p["ok"] is False)
            assert good < given_up, seen
            assert result["discovery"] == {"ok": 1, "failed": 4}, result
        for kind, word in (("refusing", "refused"), ("silent", "answer|time"), ("http", "iSCSI"),
                           ("closing", "clos|hung|ended|connection")):
            with t.case("the %s portal's failure is told with its cause and the next step" % kind):
                failure, = [f for f in result["failures"] if str(peers[kind]) in f["what"]]
                assert re.search(word, failure["error"], re.IGNORECASE), failure
                assert failure["next"], failure
        with t.case("ioscan shows the good disk, and names the bad portals", 120):
            out = initiator.command("ioscan", "-fH", "255", ok=(PARTLY,), limit=100)
            assert re.search(r"^disk .*sdisk +CLAIMED", out.out, re.MULTILINE), out
            for port in peers.values():
                assert str(port) in out.err, out
        with t.case("the discovery list remembers what failed"):
            listed = {d["port"]: d["last_scan"] for d in initiator.request("discovery.list")["targets"]}
            assert listed[tgt.port]["ok"] and not listed[silent.port]["ok"] and listed[silent.port]["error"], listed


def daemon_missing(t, initiator, tgt):
    with t.case("without iswd a scan fails at once and says which daemon to start; with it everything works again"):
        initiator.iswd.stop()
        initiator.request("session.logout", instance=initiator.disk("good", 1)["session_instance"])
        result = initiator.request("scan")
        assert result["failures"] and all("iswd" in f["error"] + f["next"] for f in result["failures"]), result
        initiator.start_daemon("iswd")
        initiator.request("scan", limit=100)
        assert initiator.disk("good", 1)["sw_state"] == "CLAIMED"


def target_dies(t, initiator, tgt):
    with t.case("reading from a disk whose target is gone fails or waits, and the driver stays", 120):
        node = initiator.disk("good", 1)
        tgt.stop()
        proc.wait_for("the session to leave the online state",
                      lambda: initiator.request("session.list")["sessions"][0]["state"] != "online", 60)
        assert initiator.driver.alive()
        sessions = initiator.command("iscsiutil", "-p", "-S")
        assert node["target_name"] in sessions.out, sessions


def main():
    with tap.script() as t:
        with t.case("iscsiutil without a word prints its usage"):
            alone = Initiator("alone").command("iscsiutil", ok=None)
            assert "usage" in (alone.out + alone.err).lower() and "-p" in alone.out + alone.err, alone
        not_running(t)
        with Tgt() as tgt:
            tgt.lun(tgt.target("good"), 1)
            with Initiator() as initiator:
                t.show_on_failure(initiator)
                wrong_words(t, initiator)
                bad_portals(t, initiator, tgt)
                daemon_missing(t, initiator, tgt)
                target_dies(t, initiator, tgt)


main()
