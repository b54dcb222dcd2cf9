"""CHAP against tgt: uni-directional, mutual with a local secret, wrong and missing secrets, algorithms; nothing leaks."""
import glob
import os

import proc
import tap
from initiator import Initiator
from tgt import Tgt

OURS, THEIRS, WRONG = "initiator-secret-1", "target-secret-no2", "wrong-secret-no-3"
PREFIX = "iqn.2026-11.org.example:"


def account(tgt, tid, name, password, outgoing=False):
    tgt.adm("account", "new", user=name, password=password)
    tgt.adm("account", "bind", *(["--outgoing"] if outgoing else []), tid=tid, user=name)


def state(initiator, suffix):
    return {s["target_name"]: s for s in initiator.request("session.list")["sessions"]}.get(PREFIX + suffix, {}).get("state")


def again(initiator, suffix):
    """Opens the session anew: what is configured counts from the next login."""
    for s in initiator.request("session.list")["sessions"]:
        if s["target_name"] == PREFIX + suffix:
            initiator.logout(s["instance"])
    result = initiator.request("scan", limit=100)
    return [f for f in result["failures"] if PREFIX + suffix in f["what"]]


def online(initiator, suffix):
    failures = again(initiator, suffix)
    assert not failures, failures
    assert state(initiator, suffix) == "online", initiator.request("session.list")


def refused(initiator, suffix, *words):
    failure, = again(initiator, suffix)
    said = failure["error"] + " " + failure["next"]
    assert all(word in said for word in words), failure
    assert state(initiator, suffix) != "online"


def counted(initiator, suffix, name):
    sessions = initiator.request("stats.get", sessions=True, connections=True)["sessions"]
    s, = [s for s in sessions if s["target_name"] == PREFIX + suffix]
    return s["values"].get(name, s["connections"][0]["values"].get(name))


def uni(t, tgt, initiator):
    def util(*words, **how):
        return initiator.command("iscsiutil", *words, **how)
    with t.case("without an offer of CHAP the target refuses the login, and the next step names it"):
        refused(initiator, "uni", "authentication method")
    with t.case("CHAP without a secret: said and counted, and the key's setter is warned"):
        out = util("-t", "authmethod", "CHAP", "None")
        assert "secret" in out.err, out
        refused(initiator, "uni", "secret", "-W")
        assert counted(initiator, "uni", "no_chap_secret") >= 1
        events = util("--events").out
        assert "ISCSI_LOG_LOGIN_NO_CHAP_SECRET" in events, events
    with t.case("a wrong secret is refused by the target, and not tried over and over"):
        util("-u", "-W", "-", stdin=WRONG + "\n")
        util("-u", "-N", "alice")
        refused(initiator, "uni", "0201")
    with t.case("the secret of the target counts before the global one"):
        util("-u", "-W", "-", "-T", PREFIX + "uni", stdin=OURS + "\n")
        online(initiator, "uni")
        assert "AuthMethod                 : CHAP" in util("-pVS").out
    with t.case("a session that cannot log in any more has why, and what to do, for programs too"):
        util("-u", "-W", "-", "-T", PREFIX + "uni", "--now", stdin=WRONG + "\n", ok=None)
        proc.wait_for("the refusal", lambda: state(initiator, "uni") != "online")
        s, = [s for s in initiator.request("session.list")["sessions"] if s["target_name"] == PREFIX + "uni"]
        a, = [a for found in initiator.request("target.list")["targets"] if found["name"] == PREFIX + "uni" for a in found["addresses"]]
        assert "0201" in s["last_error"] and "the secret on both sides" in s["last_error_next"], s
        assert a["last_error_next"] == s["last_error_next"], a
        util("-u", "-W", "-", "-T", PREFIX + "uni", "--now", stdin=OURS + "\n", ok=None)
        online(initiator, "uni")
    with t.case("an address's secret counts before the target's"):
        util("-u", "-W", WRONG, "-T", PREFIX + "uni", "-I", tgt.host, "-P", tgt.port)
        refused(initiator, "uni", "0201")
        util("-u", "-W", "", "-T", PREFIX + "uni", "-I", tgt.host, "-P", tgt.port)
        online(initiator, "uni")
    with t.case("the same secret in hexadecimal and in base64"):
        import base64
        util("-u", "-W", "0x" + OURS.encode().hex(), "-T", PREFIX + "uni")
        online(initiator, "uni")
        util("-u", "-W", "0b" + base64.b64encode(OURS.encode()).decode(), "-T", PREFIX + "uni")
        online(initiator, "uni")
    with t.case("algorithms that were chosen are offered as they are, also to a target that numbers them its own way"):
        util("-u", "--algorithms", "SHA-256,MD5")
        refused(initiator, "uni", "0200")
        util("-u", "--algorithms", "default")
        online(initiator, "uni")
    with t.case("bad secrets are refused with the reason, short ones warned about"):
        for secret, word in (("0x123", "even"), ("0x12zz", "hexadecimal"), ("0b!", "base64"), ("x" * 300, "longer")):
            out = util("-u", "-W", secret, ok=None)
            assert out.code == 2 and word in out.err and secret not in out.err, out
        out = util("-u", "-W", "short", "-T", PREFIX + "mutual")
        assert "96" in out.err, out


def mutual(t, tgt, initiator):
    def util(*words, **how):
        return initiator.command("iscsiutil", *words, **how)
    name = ("-T", PREFIX + "mutual")
    util("-u", "-W", "-", *name, stdin=OURS + "\n")
    with t.case("CHAP_BI with nobody who knows the target's secret: a warning, and a refusal"):
        out = util("-u", "-H", "chap_bi", *name)
        assert "RADIUS" in out.err, out
        refused(initiator, "mutual", "RADIUS", "target-secret")
    with t.case("with RADIUS configured and iradd not running: said, and which daemon to start"):
        util("-u", "-R", "nas.example", "-", "192.0.2.1", stdin="a-long-nas-secret\n")
        refused(initiator, "mutual", "iradd", "start")
    with t.case("the target's secret, kept here: it proves who it is"):
        util("-u", "--target-secret", "-", *name, stdin=THEIRS + "\n")
        online(initiator, "mutual")
    with t.case("a target that does not know the secret is refused, said and counted"):
        before = counted(initiator, "mutual", "auth_failures")
        util("-u", "--target-secret", WRONG, *name)
        refused(initiator, "mutual", "secret")
        assert counted(initiator, "mutual", "auth_failures") > before
        told = " ".join(util("--events").out.split())
        assert "ISCSI_LOG_PROTOCOL_BAD_CHAP_R_VAL: Invalid value (wrong) for the key CHAP_R." in told, told
    with t.case("a target that gives another name than it should is refused"):
        util("-u", "--target-secret", THEIRS, "--target-name", "mallory", *name)
        refused(initiator, "mutual", "name")
        util("-u", "--target-name", "tgt", *name)
        online(initiator, "mutual")
    with t.case("a target that cannot prove itself is refused when it must"):
        util("-u", "-H", "CHAP_BI", "--target-secret", THEIRS, "-T", PREFIX + "uni")
        refused(initiator, "uni", "")
        util("-u", "-H", "CHAP_UNI", "--target-secret", "", "-T", PREFIX + "uni")
        online(initiator, "uni")
    with t.case("what was configured survives a restart of the driver", 90):
        initiator.driver.kill()
        initiator.restart_driver()
        proc.wait_for("the session to come back", lambda: state(initiator, "mutual") == "online", 60)


def nothing_leaks(t, initiator):
    with t.case("no secret is in any display, answer, event or log"):
        seen = ["\n".join(initiator.driver.tail(100000))]
        for words in (["-l"], ["-pD"], ["-pO"], ["-pS"], ["-p"], ["-p", "-T", PREFIX + "mutual"], ["-s"], ["--events"]):
            for more in ([], ["--json"]):
                seen.append(initiator.command("iscsiutil", *words, *more).out)
        for path in glob.glob(initiator.path("var", "log", "openisw", "*")):
            with open(path, errors="replace") as f:
                seen.append(f.read())
        for secret in (OURS, THEIRS, WRONG, "a-long-nas-secret", OURS.encode().hex()):
            assert not any(secret in text for text in seen), secret
        assert "CHAP Secret                : set" in seen[1]
    with t.case("the registry, which has them, is its owner's only"):
        assert os.stat(initiator.path("var", "lib", "openisw", "registry.db")).st_mode & 0o77 == 0


def main():
    with tap.script() as t, Tgt() as tgt:
        tid = tgt.target("uni")
        tgt.lun(tid, 1)
        account(tgt, tid, "alice", OURS)
        tid = tgt.target("mutual")
        tgt.lun(tid, 1)
        tgt.adm("account", "bind", tid=tid, user="alice")
        account(tgt, tid, "tgt", THEIRS, outgoing=True)
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            initiator.discover(tgt, limit=100)
            uni(t, tgt, initiator)
            mutual(t, tgt, initiator)
            nothing_leaks(t, initiator)


main()
