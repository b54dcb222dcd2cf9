"""The administrator's view: login keys at their levels, statistics, events, the log's level."""
import functools
import json
import os
import re
import socket
import subprocess
import threading

import proc
import tap
from initiator import Initiator
from tgt import Tgt

MIB = 1 << 20
PREFIX = "iqn.2026-11.org.example:"
NAME = PREFIX + "one"


TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def messages():
    with open(os.path.join(TOP, "src/driver/diag/messages.def"), encoding="utf-8") as f:
        return len(re.findall(r"^MSG\(", f.read(), re.MULTILINE))


def reopen(initiator):
    for s in initiator.request("session.list")["sessions"]:
        initiator.logout(s["instance"])
    result = initiator.request("scan", limit=100)
    assert not result["failures"], result


def negotiated(initiator, key):
    s, = [s for s in initiator.request("session.list")["sessions"] if s["target_name"] == NAME]
    return s["connections"][0]["negotiated"][key]


def keys(t, tgt, initiator):
    address = ["-T", NAME, "-I", tgt.host, "-P", tgt.port]

    def util(*words, **how):
        return initiator.command("iscsiutil", *words, **how)
    with t.case("a key for all targets counts from the next login, and says so"):
        out = util("-t", "MAXBURSTLENGTH", "65536")
        assert "next login" in out.err, out
        assert negotiated(initiator, "MaxBurstLength") != "65536"
        reopen(initiator)
        assert negotiated(initiator, "MaxBurstLength") == "65536"
        assert re.search(r"^Configured Here +: MaxBurstLength=65536$", util("-lV").out, re.MULTILINE)
    with t.case("a target's key counts before the global one, an address's before the target's"):
        util("-t", "maxburstlength", "32768", "-T", NAME)
        util("-t", "immediatedata", "no", "-T", NAME)
        reopen(initiator)
        assert negotiated(initiator, "MaxBurstLength") == "32768"
        util("-t", "maxburstlength", "16384", *address)
        reopen(initiator)
        assert (negotiated(initiator, "MaxBurstLength"), negotiated(initiator, "ImmediateData")) == ("16384", "No")
        shown = util("-p", "-T", NAME).out
        assert re.search(r"^Configured Here +: ImmediateData=No MaxBurstLength=32768$", shown, re.MULTILINE) or \
            re.search(r"^Configured Here +: MaxBurstLength=32768 ImmediateData=No$", shown, re.MULTILINE), shown
        assert re.search(r"^Configured Here +: MaxBurstLength=16384$", shown, re.MULTILINE), shown
        session, = initiator.request("session.list")["sessions"]
        assert session["keys"]["MaxBurstLength"] == {"value": "16384", "from": "address"}, session
        assert session["keys"]["ImmediateData"] == {"value": "No", "from": "target"}, session
    with t.case("digests are offered in the order they are given, in any case of letters"):
        util("-t", "bothdigest", "crc32c", "NONE", "-T", NAME)
        shown = util("-pS").out
        assert re.search(r"^Header Digest +: CRC32C,None$", shown, re.MULTILINE), shown
        assert re.search(r"^Data Digest +: CRC32C,None$", shown, re.MULTILINE), shown
        assert re.search(r"^Header Digest +: None,CRC32C \(default\)$", util("-l").out, re.MULTILINE)
    with t.case("default takes a setting away"):
        for key in ("bothdigest", "maxburstlength", "immediatedata"):
            util("-t", key, "default", "-T", NAME)
        util("-t", "maxburstlength", "default", *address)
        util("-t", "maxburstlength", "default")
        reopen(initiator)
        assert negotiated(initiator, "MaxBurstLength") != "65536" and negotiated(initiator, "ImmediateData") == "Yes"
    with t.case("a discovery address has keys of its own"):
        util("-t", "datadigest", "CRC32C", "None", "-I", tgt.host, "-P", tgt.port)
        assert re.search(r"^Data Digest +: CRC32C,None$", util("-pD").out, re.MULTILINE)
        assert initiator.request("discovery.list")["targets"][0]["configured"] == {"DataDigest": ["CRC32C", "None"]}
    with t.case("every other key can be configured, too, within its range"):
        util("-t", "MaxBurstLength", "65536")
        util("-t", "initialr2t", "yes", "-T", NAME)
        reopen(initiator)
        assert negotiated(initiator, "MaxBurstLength") == "65536"
        assert negotiated(initiator, "InitialR2T") == "Yes"
        assert int(negotiated(initiator, "FirstBurstLength")) <= 65536
        out = util("-t", "MaxBurstLength", "100", ok=None)
        assert out.code == 2 and "512 to 16777215" in out.err, out
    with t.case("what makes no sense is refused, and changes nothing"):
        before = initiator.request("initiator.get")
        for words, word, code in ((["nokey", "1"], "HeaderDigest", 2), (["headerdigest", "MD5"], "CRC32C", 2),
                                  (["headerdigest", "None", "CRC32C", "None"], "two", 2), (["headerdigest"], "value", 2),
                                  (["headerdigest", "None", "-T", PREFIX + "nobody"], "nobody", 6),
                                  (["headerdigest", "None", "-I", "192.0.2.9"], "192.0.2.9", 6)):
            out = util("-t", *words, ok=None)
            assert out.code == code and word in out.err, out
        assert initiator.request("initiator.get") == before
    util("-t", "MaxBurstLength", "default")


def statistics(t, tgt, initiator):
    def util(*words, **how):
        return initiator.command("iscsiutil", *words, **how)

    def session(**more):
        s, = [s for s in initiator.request("stats.get", sessions=True, connections=True, **more)["sessions"]
              if s["target_name"] == NAME]
        return s
    with t.case("statistics have the guide's names, and count what happened"):
        text = util("-s").out
        for name in ("Number of ioscan's issued", "Number of SendTargets commands issued", "Number of session logouts",
                     "Time when statistics were last cleared"):
            assert re.search(r"^%s +: \S" % re.escape(name), text, re.MULTILINE), (name, text)
        scans = initiator.request("stats.get", **{"global": True})["global"]["values"]["ioscans"]
        initiator.request("scan", limit=100)
        after = initiator.request("stats.get", **{"global": True})["global"]["values"]
        assert after["ioscans"] == scans + 1 and after["discovery_opened"] >= 1 and after["inquiries"] >= 1, after
    with t.case("I/O is counted in the session, by command, byte and time"):
        disk = initiator.disk("one", 1)
        before = session()["connections"][0]["values"]["ios"]
        with open(disk["file"], "rb") as f:
            assert len(f.read(MIB)) == MIB
        now = session()
        assert now["connections"][0]["values"]["ios"] > before
        reads = now["luns"][0]["reads"]
        assert reads["bytes"] >= MIB and 0 < reads["p50_us"] <= reads["p99_us"] <= reads["p999_us"] <= reads["max_us"], reads
        assert now["luns"][0]["name"] == os.path.basename(disk["file"]), now["luns"]
        text = util("-s", "-S", now["instance"], "-C", "0").out
        assert re.search(r"^Number of I/Os issued on this connection +: [1-9]", text, re.MULTILINE), text
        assert "p99.9" in text, text
    with t.case("the interface driver has its own"):
        text = util("/dev/isw", "-s", "-G").out
        assert re.search(r"^Number of connection opens +: [1-9]", text, re.MULTILINE), text
        assert "ioscan" not in text
    with t.case("clearing sets to zero and notes the time, for what was asked only"):
        instance = session()["instance"]
        util("-c", "-S", instance)
        cleared = session()
        assert cleared["connections"][0]["values"]["ios"] == 0 and cleared["luns"][0]["reads"]["count"] == 0, cleared
        assert cleared["connections"][0]["values"]["cleared"]
        assert initiator.request("stats.get", **{"global": True})["global"]["values"]["ioscans"] > 0
        util("-c", "-G")
        assert initiator.request("stats.get", **{"global": True})["global"]["values"]["ioscans"] == 0
        util("/dev/isw", "-c", "-G")
        isw = initiator.request("stats.get", device="isw", **{"global": True})["global"]
        assert isw["section"] == "swd_global" and isw["values"]["opens"] == 0, isw
    with t.case("OpenMetrics: one head a family, its samples together, an end"):
        text = util("-s", "--metrics").out
        assert text.endswith("# EOF\n")
        families, current = [], None
        for line in text.splitlines()[:-1]:
            head = re.match(r"# TYPE (\S+) (counter|gauge|summary)$", line)
            if head:
                current = head.group(1)
                assert current not in families, current
                families.append(current)
            elif not line.startswith("# HELP " + current):
                assert re.match(re.escape(current) + r"(_total|_count|_sum)?(\{[^}]*\})? -?[0-9.]+$", line), line
        assert "openisw_transport_global_ioscans" in families and "openisw_swd_connection_ios" in families, families
        assert "openisw_lun_read_latency_seconds" in families
    with t.case("a session that is not there"):
        assert util("-s", "-S", "77", ok=None).code == 6
        assert util("-s", "-S", "0", "-C", "9", ok=None).code == 6


def events(t, tgt, initiator):
    def util(*words, **how):
        return initiator.command("iscsiutil", *words, **how)
    with t.case("what happens is in the event log, and can be followed"):
        follower = subprocess.Popen([initiator.program("iscsiutil"), "--events", "--follow", "--json"], env=initiator.env,
                                    stdout=subprocess.PIPE, text=True)
        util("-a", "-I", "no-such-host.invalid")
        initiator.request("scan", limit=100)
        for line in follower.stdout:
            event = json.loads(line)
            if event["id"] == "ISCSI_LOG_SSN_RESOLV_FAIL":
                break
        assert event["level"] == 3 and "no-such-host.invalid" in event["text"], event
        assert follower.poll() is None
        follower.kill()
        follower.wait()
        util("-d", "-I", "no-such-host.invalid")
        assert "ISCSI_LOG_SSN_RESOLV_FAIL" in util("--events").out
    with t.case("every message is explained, by identifier and by number"):
        out = util("--explain", "iscsi_log_ssn_resolv_fail").out
        assert "Cause: " in out and "Action: " in out and "iscsi_resolvd" in out, out
        assert "ISCSI_LOG_SSN_RESOLV_FAIL" in util("--explain", "C29").out
        assert len(re.findall(r"^Action: ", util("--explain", "all").out, re.MULTILINE)) == messages()
        assert util("--explain", "nonsense", ok=None).code == 6
    with t.case("the log's level is set at once, and kept"):
        util("-b", "7")
        reopen(initiator)
        assert any(" debug: " in line for line in initiator.driver.tail(200))
        util("-b", "3")
        assert util("-b", "8", ok=None).code == 2
    with t.case("scopes for SLP are taken as the guide writes them"):
        util("-g", "-F", "iscsi-scope1,", "iscsi-scope2", ",", "x")
        assert initiator.request("initiator.get")["slp_scopes"] == ["iscsi-scope1", "iscsi-scope2", "x"]
        assert util("-g", "-F", "a(b", ok=None).code == 2
    with t.case("settings need the driver's user or root"):
        if os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        for words in (["-t", "headerdigest", "None"], ["-u", "-W", "x"], ["-c"], ["-b", "3"]):
            out = proc.run(initiator.program("iscsiutil"), *words, env=initiator.env, user="nobody", ok=None)
            assert out.code not in (0, 2), out


def paths(t, initiator):
    util = lambda *words, **how: initiator.command("iscsiutil", *words, **how)
    with t.case("connections come from the configured address, through the configured interface"):
        util("-t", "SourceAddress", "127.0.0.9", "-T", NAME)
        util("-t", "Interface", "lo")
        util("-d", "-S", "0")
        initiator.request("scan", limit=100)
        session = [s for s in initiator.request("session.list")["sessions"] if s["target_name"] == NAME][0]
        assert session["connections"][0]["local"].startswith("127.0.0.9:"), session
    with t.case("an interface that is not there is named, and default takes it away"):
        util("-t", "Interface", "nowhere0")
        failures = initiator.request("scan", limit=100)["failures"]
        assert failures and "nowhere0" in str(failures) or "interface" in str(failures), failures
        util("-t", "Interface", "default")
        assert not initiator.request("scan", limit=100)["failures"]
    with t.case("connections use the congestion control that is configured, for one target"):
        util("-t", "CongestionControl", "reno", "-T", NAME)
        util("-d", "-S", "0")
        initiator.request("scan", limit=100)
        session = [s for s in initiator.request("session.list")["sessions"] if s["target_name"] == NAME][0]
        shown = proc.run("ss", "-tni", "dst", session["connections"][0]["peer"]).out
        assert session["congestion_control"] == "reno" and re.search(r"^\s+reno ", shown, re.M), shown
        util("-t", "CongestionControl", "nosuch")
        failures = initiator.request("scan", limit=100)["failures"]
        util("-t", "CongestionControl", "default")
        assert "using the congestion control nosuch: " in str(failures), failures
        util("-t", "CongestionControl", "default", "-T", NAME)
    with t.case("an address of ours is one"):
        refused = util("-t", "SourceAddress", "some.host", ok=None)
        assert refused.code != 0 and "SourceAddress" in refused.err, refused


def scanning(t, tgt, tid, initiator):
    """A portal that accepts and says nothing keeps a scan busy for LoginTimeout."""
    util = functools.partial(initiator.command, "iscsiutil")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        portal = ("-I", "127.0.0.1", "-P", str(silent.getsockname()[1]))
        util("-t", "LoginTimeout", "3")
        util("-a", *portal)
        with t.case("a scan that is asked for while one runs finds what was there when it was asked for"):
            looked = threading.Event()
            first = threading.Thread(target=initiator.request, args=("scan", 60), daemon=True, kwargs={
                "progress": lambda p: p["stage"] == "luns" and p["what"] and looked.set()})
            first.start()
            assert looked.wait(30), "the LUNs were not looked at"
            tgt.lun(tid, 9)
            assert first.is_alive(), "the first scan is over: nothing is shown"
            result = initiator.request("scan", limit=60)
            assert not first.is_alive(), "the second scan did not wait"
            assert initiator.disk("one", 9)["sw_state"] == "CLAIMED", result
        with t.case("eight scans at once find all that was there before"):
            tgt.lun(tid, 10)
            scans = [threading.Thread(target=initiator.request, args=("scan", 60)) for _ in range(8)]
            for scan in scans:
                scan.start()
            for scan in scans:
                scan.join()
            assert initiator.disk("one", 10)["sw_state"] == "CLAIMED"
        with t.case("a scan of a hardware path looks at that session only"):
            tgt.lun(tid, 11)
            session = initiator.disk("one", 1)["session_instance"]
            out = initiator.command("ioscan", "-f", "-H", "255/0/%d" % session)
            assert initiator.disk("one", 11)["sw_state"] == "CLAIMED" and "255/0/%d.0.1.3" % session in out.out, out
            scan = initiator.request("scan", hw_path="255/0/%d.0.0.1" % session)
            assert scan["discovery"] == {"ok": 0, "failed": 0} and scan["sessions"]["online"] == 1, scan
            refused = initiator.request("scan", hw_path="255/0/4000")
            assert refused["failures"] and "no session" in refused["failures"][0]["error"], refused
        util("-d", *portal)
        util("-t", "LoginTimeout", "default")


def main():
    with tap.script() as t, Tgt() as tgt:
        tid = tgt.target("one")
        tgt.lun(tid, 1)
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            initiator.discover(tgt, limit=100)
            keys(t, tgt, initiator)
            statistics(t, tgt, initiator)
            events(t, tgt, initiator)
            paths(t, initiator)
            scanning(t, tgt, tid, initiator)


main()
