"""CHAP in both directions, end to end: the driver asks iradd, iradd asks FreeRADIUS, tgt proves who it is or does not."""
import capfile
import net
import proc
import tap
from initiator import Initiator
from radius import NAS_SECRET, PASSWORDS
from freeradius import FreeRadius
from tgt import Tgt

OURS = "initiator-secret-1"
TARGET, PASSWORD = sorted(PASSWORDS.items())[0]
NAME = "iqn.2026-11.org.example:"


def make(tgt, suffix, outgoing, password):
    tid = tgt.target(suffix)
    tgt.lun(tid, 1)
    for user, secret, words in (("alice", OURS, []), (outgoing, password, ["--outgoing"])):
        if user not in tgt.users:
            tgt.adm("account", "new", user=user, password=secret)
            tgt.users.append(user)
        tgt.adm("account", "bind", *words, tid=tid, user=user)


def scan(initiator):
    for s in initiator.request("session.list")["sessions"]:
        initiator.logout(s["instance"])
    result = initiator.request("scan", limit=100)
    states = {s["target_name"]: s["state"] for s in initiator.request("session.list")["sessions"]}
    return states, {f["what"].split(" ")[0]: f["error"] + " " + f["next"] for f in result["failures"]}


def counted(initiator, suffix, name):
    s, = [s for s in initiator.request("stats.get", sessions=True, connections=True)["sessions"]
          if s["target_name"] == NAME + suffix]
    return s["connections"][0]["values"][name]


def radius(initiator, servers, secret=NAS_SECRET):
    initiator.command("iscsiutil", "-u", "-R", "127.0.0.1", "-", servers, stdin=secret + "\n")


def cases(t, initiator, server, tgt):
    nobody = "127.0.0.1:%d" % net.free_port()
    with t.case("a target that RADIUS knows is logged in to, another one is refused, said and counted"):
        radius(initiator, server.address)
        states, failures = scan(initiator)
        assert states[NAME + "right"] == "online", (states, failures)
        assert states.get(NAME + "wrong") != "online" and "secret" in failures[NAME + "wrong"], (states, failures)
        assert counted(initiator, "wrong", "auth_failures") == 1
        assert "ISCSI_LOG_PROTOCOL_BAD_CHAP_R_VAL" in initiator.command("iscsiutil", "--events").out
    captured(t, initiator, server, tgt)
    with t.case("the first server is down, the second one answers", 90):
        radius(initiator, nobody + "," + server.address)
        states, failures = scan(initiator)
        assert states[NAME + "right"] == "online", (states, failures)
    with t.case("no server answers: refused, and the sentence says whom to look at", 90):
        radius(initiator, nobody)
        states, failures = scan(initiator)
        assert states.get(NAME + "right") != "online" and "RADIUS" in failures[NAME + "right"], (states, failures)
    with t.case("a wrong NAS secret gets no answer: counted as a timeout", 120):
        radius(initiator, server.address, "another-nas-secret")
        states, failures = scan(initiator)
        assert states.get(NAME + "right") != "online" and "NAS secret" in failures[NAME + "right"], (states, failures)
        assert counted(initiator, "right", "auth_timeouts") >= 1
    with t.case("without iradd it is refused; with it again, everything goes on by itself", 90):
        radius(initiator, server.address)
        initiator.helpers["iradd"].stop()
        states, failures = scan(initiator)
        assert "iradd" in failures.get(NAME + "right", ""), (states, failures)
        initiator.start_daemon("iradd")
        states, failures = scan(initiator)
        assert states[NAME + "right"] == "online", (states, failures)
        proc.wait_for("FreeRADIUS to have been asked", lambda: server.said("Access-Accept"))
    initiator.helpers["iradd"].stop()


def captured(t, initiator, server, tgt):
    with t.case("a login that RADIUS has vouched for is captured and replayed, and no secret of the three is in the file", 90):
        capfile.need_tshark()
        radius(initiator, server.address)
        masked, whole = capfile.Capture(initiator, "radius.pcapng"), capfile.Capture(initiator, "secret.pcapng", "--secrets")
        states, failures = scan(initiator)
        assert states[NAME + "right"] == "online", (states, failures)
        result, other = masked.end(), whole.end()
        assert result["pdus"] == other["pdus"] > 10, (result, other)
        connections = capfile.replay(initiator, masked.path, (0, 4))
        capfile.must_be_equal(connections)
        found = capfile.opcodes(masked.path, (tgt.port,))
        assert sum(found.values()) == result["pdus"], (found, result)
        said = capfile.tshark(whole.path, (tgt.port,), "-T", "fields", "-e", "iscsi.keyvalue").replace(",", "\n").splitlines()
        values = [v.split("=", 1)[1] for v in said if v.startswith(("CHAP_R=", "CHAP_C="))]
        assert len(values) >= 8, values  # two logins, each with two challenges and two responses
        with open(masked.path, "rb") as f:
            data = f.read()
        for value in values:
            assert value.startswith("0x") and value.encode() not in data and bytes.fromhex(value[2:]) not in data, value
        for secret in (OURS, PASSWORD, NAS_SECRET):
            assert secret.encode() not in data, "a secret is in it"
        assert b"CHAP_N=alice" in data and b"CHAP_N=" + TARGET.encode() in data


def main():
    with tap.script() as t, FreeRadius("one") as server, Tgt() as tgt, Initiator() as initiator:
        tgt.users = []
        t.show_on_failure(server)
        t.show_on_failure(initiator)
        initiator.start_daemon("iradd")
        make(tgt, "right", TARGET, PASSWORD)
        make(tgt, "wrong", "somebody", "not-what-radius-knows")
        initiator.command("iscsiutil", "-t", "authmethod", "CHAP", "None")
        initiator.command("iscsiutil", "-u", "-H", "CHAP_BI", "-N", "alice", "-W", "-", stdin=OURS + "\n")
        initiator.command("iscsiutil", "-a", "-I", tgt.host, "-P", tgt.port)
        cases(t, initiator, server, tgt)


main()
