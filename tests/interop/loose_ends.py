"""What the statistics count and what is said when a target leaves the protocol: each event once, by its own name."""
import contextlib
import json
import threading

import field
import proc
import tap
from fieldtgt import DROP, RESET, SILENT, TEXT, Chap, Connection, FieldTarget, Refused, moved_to
from fieldunit import BUSY, INQUIRY, REPORT_LUNS, Unit, check
from initiator import Refused as Denied

PREFIX = "iqn.2026-11.org.example:"
SECRET = "targetsecret12"


def told(made, *words):
    out = made.command(*words, ok=None)
    return out.out + out.err, out.code


def values(made, kind="Normal"):
    """Sums over the sessions of a kind, and the global ones."""
    answer = made.request("stats.get", sessions=True, connections=True, **{"global": True})
    sums = dict(answer["global"]["values"])
    for s in answer["sessions"]:
        for block in [s["values"]] + [c["values"] for c in s["connections"]] if s["type"] == kind else []:
            for name, value in block.items():
                if isinstance(value, int):
                    sums[name] = sums.get(name, 0) + value
    return sums


def said(made, what):
    return [e for e in map(json.loads, made.command("iscsiutil", "--events", "--json").out.splitlines()) if e["id"] == what]


def expect(made, kind="Normal", **rows):
    found = values(made, kind)
    wrong = {name: found[name] for name, value in rows.items() if found[name] != value}
    assert not wrong, "%s, not %s" % (wrong, rows)


def scan(t, target):
    """An initiator that has scanned this target by command: (it, what was said, the exit status)."""
    made = field.initiator(t)
    return made


def logins(t):
    with t.case("redirections that lead nowhere are counted and said: to a dead port, in a circle, without an address"):
        for order, row in ((moved_to("127.0.0.1:1"), {"redirects_temporary": 1}),
                           (moved_to("127.0.0.1:1", is_permanent=True), {"redirects_permanent": 1}),
                           (Refused(1, 1), {"redirects_temporary": 1}),
                           (Refused(1, 2, TargetAddress="[::"), {"redirects_permanent": 1})):
            with FieldTarget() as target, field.initiator(t) as made:
                target.on_login = lambda _, order=order: order
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                text, code = told(made, "ioscan", "-fnH", "255")
                assert code == 4, text
                expect(made, login_exceptions=1, redirects=0, **row)
    with t.case("a key that has no place beside a good address of a redirection is said (C36), and the login follows"):
        with FieldTarget(ports=2) as target, field.initiator(t) as made:
            target.on_login = lambda c: Refused(1, 1, TargetAddress=target.portal(1), X_vendor="1") \
                if c.portal == target.ports[0] else None
            target.portals = [target.portal(0) + ",1"]
            made.command("iscsiutil", "-b", "7")
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            text, code = told(made, "ioscan", "-fnH", "255")
            assert code == 0 and said(made, "ISCSI_LOG_INCOR_KEY_REDI"), (code, text)
            assert said(made, "ISCSI_LOG_TEMP_REDIRECT_REQUESTED") and said(made, "ISCSI_LOG_REDIRECT_OCCURRED")
            expect(made, redirects_temporary=1, redirects=1)
    with t.case("a login response that breaks the protocol is E3 and one protocol error"):
        with FieldTarget() as target, field.initiator(t) as made:
            answer = Connection.login_answer

            def wrong(self, keys, flags=None, status=(0, 0)):
                if not self.is_discovery:
                    self.stat_sn += 5
                return answer(self, keys, flags, status)
            Connection.login_answer = wrong
            try:
                made.command("iscsiutil", "-b", "7")
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                text, code = told(made, "ioscan", "-fnH", "255")
            finally:
                Connection.login_answer = answer
            assert code == 4 and "StatSN" in text, text
            found = values(made)
            assert found["protocol_errors"] == len(said(made, "ISW_LOG_BAD_PROTO_HDR")) >= 1, found
    with t.case("a login that is hung up on, and one that is refused, say so"):
        for order, words in ((DROP, "ended the connection during the iSCSI login"), (RESET, "reset"),
                             (Refused(3, 1), "not available"), (Refused(2, 2), "may not use it")):
            with FieldTarget() as target, field.initiator(t) as made:
                target.on_login = lambda _, order=order: order
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                text, code = told(made, "ioscan", "-fnH", "255")
                assert words in text and code == 4, text


@contextlib.contextmanager
def other(name, act):
    """Connection's method of this name is act(the usual one, self, ...)."""
    usual = getattr(Connection, name)
    setattr(Connection, name, lambda self, *words: act(usual, self, *words))
    try:
        yield
    finally:
        setattr(Connection, name, usual)


def attempts(target):
    return target.count("login")


def keys(t):
    """Messages 11 and 13: once for each login, whatever becomes of it."""
    ends = {
        "is refused": lambda self: self.refuse(Refused(3, 2)),
        "is hung up on": lambda self: self.obey(DROP),
        "goes on": lambda self: None,
    }
    for what, end in ends.items():
        def operational(usual, self, asked, end=end):
            if self.is_discovery:
                return usual(self, asked)
            answer = [(k, "Reject" if k == "HeaderDigest" else v) for k, v in usual(self, asked)]
            self.login_answer(answer + [("X-vendor", "1")], 0x04)
            _, data = self.receive()
            assert data == b"X-vendor=NotUnderstood\0", data
            end(self)
            return []
        with t.case("a key that nobody knows, and one of ours that is rejected, are said where the login %s" % what):
            with FieldTarget() as target, field.initiator(t) as made, other("operational", operational):
                made.command("iscsiutil", "-b", "7")
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                text, code = told(made, "ioscan", "-fnH", "255")
                tries = attempts(target)
                for message, key in (("ISCSI_LOG_PROTOCOL_TGT_KEY_NOTUNDERSTD", "X-vendor"),
                                     ("ISCSI_LOG_PROTOCOL_INIT_KEY_REJECTED", "HeaderDigest")):
                    texts = [e["text"] for e in said(made, message)]
                    assert len(texts) == tries and all(key in text for text in texts), (texts, tries, text)
                assert (code == 0) == (what == "goes on"), (code, text)
                expect(made, login_failures=0 if code == 0 else tries, to_online=1 if code == 0 else 0)


def unproven(t):
    """Message 28, and the counter of targets that do not prove who they are."""
    for what, answer, key in (("nothing", [], ""), ("another key", [("SRP_s", "0x01")], "SRP_s"),
                              ("a name alone", [("CHAP_N", "disk")], "")):
        def security(usual, self, asked, answer=answer):
            out, may_end = usual(self, asked)
            return (answer, True) if "CHAP_R" in asked else (out, may_end)
        with t.case("a target that is asked who it is and answers %s is C28, once a login" % what):
            with FieldTarget() as target, field.initiator(t) as made, other("security", security):
                target.chap = Chap("u", SECRET)
                made.command("iscsiutil", "-u", "-H", "CHAP_BI", "-N", "u", "-W", SECRET, "--target-secret", "-",
                             stdin="of-the-target\n")
                made.command("iscsiutil", "-t", "authmethod", "CHAP", "None")
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                text, code = told(made, "ioscan", "-fnH", "255")
                tries, texts = attempts(target), [e["text"] for e in said(made, "ISCSI_LOG_PROTOCOL_BAD_CHAP_NR")]
                assert code == 4 and tries, text
                assert len(texts) == tries and all("(%s)" % key in t for t in texts), (texts, tries, text)
                expect(made, auth_failures=tries, login_failures=tries, protocol_errors=0, to_online=0)
                assert not said(made, "ISW_LOG_BAD_PROTO_HDR")


def probes(t):
    for what, answer, words in (("BUSY", BUSY, "BUSY"), ("NOT READY", check(2, 0x04, 0x01), "becoming ready")):
        for opcode, name, counter in ((REPORT_LUNS, "REPORT LUNS", "report_luns_failed"), (INQUIRY, "INQUIRY", "inquiries_failed")):
            with t.case("%s that is answered with %s for good is told so, and counted each time" % (name, what), 90):
                with FieldTarget() as target, field.initiator(t) as made:
                    target.on_command = lambda c, o=opcode, a=answer: a if c.opcode == o else None
                    made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                    text, code = told(made, "ioscan", "-fnH", "255")
                    assert words in text and "too long" not in text and code == 4, text
                    sent = len([1 for c in target.commands((opcode,))])
                    assert values(made)[counter] == sent > 1, (values(made)[counter], sent)
    with t.case("REPORT LUNS that is busy for a moment: the scan is good, and the failures are counted"):
        with FieldTarget() as target, field.initiator(t) as made:
            left = [BUSY, BUSY]
            target.on_command = lambda c: left.pop() if c.opcode == REPORT_LUNS and left else None
            made.command("iscsiutil", "-b", "7")
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            text, code = told(made, "ioscan", "-fnH", "255")
            assert code == 0, text
            expect(made, report_luns=3, report_luns_failed=2)
            assert said(made, "ISCSI_LOG_REPORTLUNS_FAILED")


def discoveries(t):
    serve = Connection.receive
    ways = {
        "hung up on": (lambda self: self.obey(DROP), "ended before the answer"),
        "rejected": (lambda self: self.send(0x3f, 0x80, 9, data=self.head), "rejected SendTargets (reason 0x09)"),
        "answered with something else": (lambda self: self.send(0x21, 0x80, itt=self.head[16:20], at20=bytes(4)),
                                         "does not exist"),
    }
    for what, (act, words) in ways.items():
        with t.case("SendTargets that is %s is told so, and counted" % what):
            def receive(self, act=act):
                opcode, data = serve(self)
                if opcode == TEXT and self.is_discovery:
                    act(self)
                    return 99, data
                return opcode, data
            with FieldTarget() as target, field.initiator(t) as made:
                Connection.receive = receive
                try:
                    made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
                    text, code = told(made, "ioscan", "-fnH", "255")
                finally:
                    Connection.receive = serve
                assert words in text and "did not answer" not in text and code == 1, (code, text)
                assert values(made)["send_targets_failed"] == 1
    with t.case("a portal that leaves the logout unanswered: its targets are found, and the logout is counted as late"):
        with FieldTarget() as target, field.initiator(t) as made:
            target.on_logout = lambda c: SILENT if c.is_discovery else None
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            text, code = told(made, "ioscan", "-fnH", "255")
            assert code == 0, text
            expect(made, "Discovery", logouts=1, logout_async=1, pdu_aborted=1)


def logouts(t):
    with t.case("a logout that the target asked for counts as one, and as no dead connection"):
        with FieldTarget() as target, field.world(t, target) as made:
            before = values(made)
            target.online()[0].event(1, parameters=(0, 0, 10))
            proc.wait_for("the login afterwards", lambda: target.count("login") == 2)
            field.wait_online(made)
            now = values(made)
            assert now["logouts"] == before["logouts"] + 1 and now["async_logout"] == 1, now
            assert now["dead_events"] == before["dead_events"] and now["closes_active"] == 0, now
    with t.case("a session that was logged out stays closed, whatever comes: settings, iswd, another start"):
        with FieldTarget() as target, field.world(t, target) as made:
            made.request("session.logout", instance=0)
            seen = target.count("login")
            made.command("iscsiutil", "-t", "NOPTimeout", "9")
            made.command("iscsiutil", "-t", "CommandTimeout", "40", "-T", target.name)
            made.iswd.kill()
            made.start_daemon("iswd")
            told(made, "insf", "-H", "255")
            told(made, "ioscan", "-kfn")
            field.pause(2)
            assert target.count("login") == seen, target.log
            made.driver.kill()
            made.restart_driver()
            field.wait_online(made)


def cleared(t):
    with t.case("statistics that were cleared count from zero, those of a session that is gone too"):
        with FieldTarget() as target, field.world(t, target) as made:
            made.request("session.logout", instance=0)
            made.command("iscsiutil", "-c")
            found = values(made)
            assert not [n for n, v in found.items() if isinstance(v, int) and v and n != "unclaimed_luns"], found
            made.request("scan", 60)
            expect(made, ioscans=1, normal_opened=1, opens=1, to_online=1)


def main():
    with tap.script() as t:
        for part in (logins, keys, unproven, probes, discoveries, logouts, cleared):
            part(t)


main()
