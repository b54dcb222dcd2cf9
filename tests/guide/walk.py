"""A walk through the guide's chapters 3 to 7, as an administrator types them: each case has the numbers of its rows."""
import json
import os
import re
import socket

import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit

NAME = "iqn.2003-11.com.hp.stor:walk"
LUNS = (0, 1, 9, 130)
SESSION = ("Session Instance", "Session Type", "Session State", "Target iSCSI Name", "Target IP Address", "Target TCP Port",
           "Target Portal Group Tag", "Initiator Name", "ISID", "TSIH", "LUNs", "Queue Depth", "Opened", "Last Error")
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "tools", "ioscan", "golden", "guide.txt")


def labels(text):
    return re.findall(r"^([A-Z][^:\n]*?) *: ", text, re.MULTILINE)


class Walk:
    def __init__(self, t, made, target):
        self.t, self.made, self.target = t, made, target
        self.at = ["-I", target.host, "-P", target.port]

    def util(self, *words, **how):
        return self.made.command("iscsiutil", *words, **how)

    def value(self, label, *words):
        found = re.search(r"^%s *: (.*)$" % re.escape(label), self.util(*words).out, re.MULTILINE)
        assert found, (label, words, self.util(*words).out)
        return found.group(1)

    def wrong(self, *words, code=2):
        out = self.util(*words, ok=None)
        assert out.code == code and out.err, (words, out)
        return out.err


def names(w):
    with w.t.case("rows 36, 42: the initiator has a name of the iqn form with its host's name, and -l shows it"):
        name = w.value("Initiator Name", "-l")
        assert name.startswith("iqn.2026-11.org.openisw:%s." % socket.gethostname().lower()), name
    with w.t.case("rows 37, 38, 39, 40: names of each form are taken, with the device file before or after"):
        good = ("iqn.2001-04.com.example", "iqn.2001-04.com.example:storage:diskarrays-sn-a8675309",
                "eui.02004567A425678D", "naa.52004567ba64678d")
        for name in good:
            for words in (("/dev/iscsi", "-i", "-N", name), ("-i", "-N", name, "/dev/iscsi")):
                w.util(*words)
                assert w.value("Initiator Name", "-l") == name
    with w.t.case("row 124: a name that is none is refused with the reason"):
        for bad in ("iqn.2001-04.com.example:a_b", "iqn.2001-13.com.example", "eui.0200", "foo"):
            assert "is not an iSCSI name: " in w.wrong("-i", "-N", bad)
    with w.t.case("row 99: an alias is kept and taken away; one that is too long is refused"):
        w.util("-i", "-N", "iqn.2001-04.com.example:host", "-A", "my alias")
        assert w.value("Initiator Alias", "-l") == "my alias"
        w.util("-i", "-N", "iqn.2001-04.com.example:host", "-A", "default")
        assert w.value("Initiator Alias", "-l") == ""
        w.wrong("-i", "-N", "iqn.2001-04.com.example:host", "-A", "x" * 300)


def discovery(w):
    with w.t.case("rows 3, 43, 45, 46, 48: addresses are added with port and tag, displayed and within their range"):
        w.util("-a", "-I", "192.0.2.7")
        shown = w.util("-p", "-D").out
        assert shown == w.util("-pD").out == w.util("-D", "-p").out
        assert (w.value("Target IP Address", "-pD"), w.value("Target TCP Port", "-pD"), w.value("Target Portal Group Tag", "-pD")) == (
            "192.0.2.7", "3260", "1"), shown
        w.util("-d", "-I", "192.0.2.7")
        for tag in (0, 65535):
            w.util("-a", "-I", "192.0.2.7", "-P", 5001, "-M", tag)
            assert (w.value("Target TCP Port", "-pD"), w.value("Target Portal Group Tag", "-pD")) == ("5001", str(tag))
            w.util("-d", "-I", "192.0.2.7", "-P", 5001, "-M", tag)
        assert "65535" in w.wrong("-a", "-I", "192.0.2.7", "-M", 65536)
        w.wrong("-a", "-I", "192.0.2.7", "-P", 0)
    with w.t.case("row 98: what is not there cannot be deleted, and the next step is told"):
        assert "iscsiutil -p -D" in w.wrong("-d", "-I", "192.0.2.9", code=6)
    with w.t.case("rows 18, 44: a host name is taken"):
        daemon = w.made.start_daemon("iscsi_resolvd")
        w.util("-a", "-I", "localhost", "-P", w.target.port)
        assert w.value("Target IP Address", "-pD") == "localhost"
        w.made.command("ioscan", "-H", "255")
        assert w.value("Session State", "-pS") == "online"
        w.util("-d", "-I", "localhost", "-P", w.target.port)
        assert daemon.alive()


def scan(w):
    with w.t.case("rows 20, 21, 49, 51: a scan asks the address, closes that session and opens one to the target"):
        w.util("-a", *w.at)
        w.made.command("ioscan", "-H", "255")
        asked = [c for c in w.target.connections if c.is_discovery]
        proc.wait_for("the end of the discovery sessions", lambda: asked and not any(c.is_alive() for c in asked))
        assert [c.name for c in w.target.online()] == [NAME], w.target.online()
        assert w.value("Target iSCSI Name", "-pO") == NAME
    tree = w.made.command("ioscan", "-kfn").out
    with w.t.case("rows 13, 35, 76: the virtual root node stands as the guide prints it"):
        with open(GOLDEN, encoding="utf-8") as f:
            assert w.made.command("ioscan", "-kfnC", "iscsi").out == f.read()
    with w.t.case("rows 14, 15, 22, 80: session, bus, target and LUN are in the hardware path"):
        s = next(x["instance"] for x in w.made.request("session.list")["sessions"] if x["state"] == "online")
        for lun in LUNS:
            path = "255/0/%d.%d.%d.%d" % (s, lun // 128, lun % 128 // 8, lun % 8)
            assert path in tree, (path, tree)
    with w.t.case("rows 77, 78, 79: bus, target and disk are CLAIMED by the guide's drivers"):
        for words in (r"ext_bus +\d+ +255/0/%d\.0 +iscsial +CLAIMED +INTERFACE +iSCSI-SCSI Protocol Interface" % s,
                      r"target +\d+ +255/0/%d\.0\.0 +tgt +CLAIMED +DEVICE" % s,
                      r"disk +\d+ +255/0/%d\.0\.0\.0 +sdisk +CLAIMED +DEVICE +EXAMPLE +Field" % s):
            assert re.search("^" + words, tree, re.MULTILINE), (words, tree)
    with w.t.case("rows 82, 83: ioscan's options choose, and -C and -d exclude each other"):
        for words in (("-fnC", "disk"), ("-fnkC", "disk"), ("-kfd", "sdisk"), ("-ufC", "disk")):
            assert w.made.command("ioscan", *words).out.count("sdisk") == len(LUNS), words
        assert w.made.command("ioscan", "-fnk", "-C", "disk", "-I", 1).out.count("sdisk") == 1
        assert w.made.command("ioscan", "-C", "disk", "-d", "sdisk", ok=None).code == 2
    with w.t.case("row 84: a hardware path restricts the scan"):
        before = len([c for c in w.target.connections if c.is_discovery])
        w.made.command("ioscan", "-H", "255/0/%d" % s)
        assert len([c for c in w.target.connections if c.is_discovery]) == before


def devices(w):
    with w.t.case("rows 50, 91, 92: insf makes files in HP-UX's words, once; -e again, -C and -d choose"):
        out = w.made.command("insf", "-H", "255").out
        assert out.count("insf: Installing special files for sdisk instance ") == len(LUNS), out
        assert w.made.command("insf", "-H", "255").out == ""
        assert w.made.command("insf", "-e", "-C", "disk").out.count("Installing") == len(LUNS)
        assert w.made.command("insf", "-e", "-d", "sdisk", "-v").out.count("Installing") == len(LUNS)
        assert w.made.command("insf", "-q", "-e", "-C", "disk").out == ""
    with w.t.case("rows 16, 19: paths, names and what is configured are the same after kill -9 of the driver"):
        tree, shown = w.made.command("ioscan", "-kfn").out, w.util("-pD").out.split("Last Scan")[0]
        w.made.driver.kill(9)
        w.made.restart_driver()
        w.made.command("ioscan", "-H", "255")
        assert w.made.command("ioscan", "-kfn").out == tree
        assert w.util("-pD").out.split("Last Scan")[0] == shown
    with w.t.case("rows 88, 94: a LUN that is gone is NO_HW, and rmsf removes its files; it comes back"):
        unit = w.target.targets[NAME].pop()
        w.made.command("ioscan", "-H", "255", ok=None)
        gone = [n for n in w.made.tree("disk") if n["sw_state"] == "NO_HW"]
        assert len(gone) == 1, gone
        w.made.command("rmsf", "-H", gone[0]["hw_path"])
        w.target.targets[NAME].append(unit)
        w.made.command("ioscan", "-H", "255")
        w.made.command("insf", "-H", "255")
    with w.t.case("row 96: the two device files are there"):
        assert all(os.path.exists(w.made.path("dev", name)) for name in ("iscsi", "isw"))


def displays(w):
    with w.t.case("rows 11, 103, 146: each driver says its name and version"):
        for device in ("/dev/iscsi", "/dev/isw"):
            assert labels(w.util(device).out) == ["Driver Name", "Driver Description", "Driver Version"], device
    with w.t.case("rows 52, 55, 61, 62, 102: -l shows names, authentication and keys with their defaults"):
        shown = w.util("-l").out
        for line in ("Authentication Method", "CHAP Method", "Initiator CHAP Name", "CHAP Secret", "Header Digest", "Data Digest",
                     "SLP Scope list for iSLPD"):
            assert line in labels(shown), (line, shown)
        assert w.value("Header Digest", "-l") == "None,CRC32C (default)"
        assert w.value("Authentication Method", "-l") == "None (default)"
        assert w.value("CHAP Method", "-l") == "CHAP_UNI"
    with w.t.case("row 104: -D, -O and -T are displays of their own, and exclude each other"):
        assert w.util("-p", "-T", NAME).out.count(NAME) >= 1
        w.wrong("-p", "-D", "-O")
    with w.t.case("rows 4, 105, 107, 108: a session's display has what the guide lists, with -V the keys that were negotiated"):
        for words in (("-pS",), ("-p", "-S", 0), ("-pS0",)):
            shown = labels(w.util(*words).out)
            for line in SESSION:
                assert line in shown, (line, shown)
        for words in (("-pVS",), ("-pSV",), ("-pS0C0V",)):
            assert re.search(r"^ *HeaderDigest +: None$", w.util(*words).out, re.MULTILINE), w.util(*words).out
    with w.t.case("row 110: a NOP-Out comes back with as many bytes as were sent"):
        for size in (0, 64, 4096):
            assert str(size) in w.util("-n", "-S", 0, "-L", size).out
        w.wrong("-n", "-S", 0, "-L", 4097)
    with w.t.case("rows 70, 71: SLP scopes are taken as the guide writes them, and displayed"):
        w.util("-g", "-F", "iscsi-scope1,", "iscsi-scope2")
        assert w.value("SLP Scope list for iSLPD", "-l") == "iscsi-scope1,iscsi-scope2"
        w.util("-g", "-F", "default")


def boot(w):
    with w.t.case("rows 68, 69: islpd -a has it started on boot and not now, -r takes that back, -g tells"):
        def islpd(*words):
            return w.made.command("islpd", *words, ok=None)
        assert islpd("-g").code == 3
        assert islpd("-a").code == 0 and islpd("-g").code == 0
        assert islpd("--status").code == 3, "it was started now"
        assert islpd("-r").code == 0 and islpd("-g").code == 3


def keys(w):
    with w.t.case("rows 53, 54, 148, 149, 150, 151, 152, 153, 154, 155, 156: keys at each level, in any case of letters"):
        at = ["-T", NAME, *w.at]
        for words in (("headerdigest", "None", "CRC32C"), ("datadigest", "CRC32C", "None", *w.at), ("datadigest", "CRC32C", "-T", NAME),
                      ("HEADERDIGEST", "crc32c", "none", *at), ("bothdigest", "None", "CRC32C", *at), ("authmethod", "CHAP", "None"),
                      ("authmethod", "None", "CHAP", "-T", NAME), ("authmethod", "None", *w.at), ("authmethod", "None", *at)):
            w.util("-t", *words)
        shown = w.made.request("target.list")["targets"][0]
        assert shown["configured"]["DataDigest"] == ["CRC32C"] and shown["configured"]["AuthMethod"] == ["None", "CHAP"], shown
        assert shown["addresses"][0]["configured"]["HeaderDigest"] == ["None", "CRC32C"], shown
        w.wrong("-t", "headerdigest", "None", "CRC32C", "None")
        w.wrong("-t", "headerdigest", "None", "None")
        for level in ([], w.at, ["-T", NAME], at):
            for key in ("bothdigest", "authmethod"):
                w.util("-t", key, "default", *level)
        assert w.made.request("target.list")["targets"][0]["configured"] == {}
    with w.t.case("rows 2, 6, 157: a key that was configured is negotiated at the next login; one that takes one value only says so"):
        assert "takes only 1" in w.wrong("-t", "MaxConnections", 2)
        w.target.keys["FirstBurstLength"] = "4096"
        w.util("-t", "FirstBurstLength", 4096)
        w.util("--relogin")
        assert re.search(r"^ *FirstBurstLength +: 4096$", w.util("-pVS").out, re.MULTILINE), w.util("-pVS").out
        del w.target.keys["FirstBurstLength"]
        w.util("-t", "FirstBurstLength", "default")
    with w.t.case("rows 58, 59, 60: secrets in characters and hexadecimal digits, of which there is an even number"):
        w.util("-u", "-W", "mychapsecret1")
        w.util("-u", "-W", "0xed34a5c3ed34a5c3ed34a5c3")
        assert "even number" in w.wrong("-u", "-W", "0xed34a5c3ed34a5c3ed34a5c")
        w.util("-u", "-W", "default")


def statistics(w):
    with w.t.case("rows 100, 101, 111, 144, 159, 160, 162, 163: statistics of both drivers, sessions and connections"):
        assert w.util("-s", "-G").out.count("Number of ") > 10
        for words in (("-s", "-S"), ("-s", "-S", 0), ("-s", "-S", 0, "-C"), ("-s", "-S", 0, "-C", 0), ("-sGS0C0",)):
            assert w.util(*words).out.count("Number of ") > 20, words
        assert w.util("/dev/isw", "-s", "-G").out.count("Number of ") == 2
    with w.t.case("rows 145, 170: statistics are cleared, and the time is told"):
        w.util("/dev/isw", "-c", "-G")
        w.util("-c", "-G")
        assert re.search(r"cleared *: \d{4}-\d\d-\d\dT", w.util("-s", "-G").out), w.util("-s", "-G").out
        assert not re.search(r"^Number of .*: [1-9]", w.util("/dev/isw", "-s", "-G").out, re.MULTILINE)
    with w.t.case("rows 171, 174: levels by number or name, and 8 is none; each message is explained"):
        for level in (*range(8), "LVL_ERR", "warn"):
            w.util("-b", level)
        w.wrong("-b", 8)
        w.util("-b", "default")
        assert len(json.loads(w.util("--explain", "all", "--json").out)["messages"]) > 45
        assert "ISCSI_LOG" in w.util("--explain", "C12").out


def forgotten(w):
    with w.t.case("row 90: what is known of a target is forgotten with it"):
        w.made.command("rmsf", "-a")
        w.util("-d", *w.at)
        w.util("-d", "-T", NAME)
        assert not w.made.tree("disk")


def main():
    with tap.script() as t:
        with FieldTarget([Unit(n, "walk %d" % n) for n in LUNS], name=NAME) as target, field.initiator(t) as made:
            w = Walk(t, made, target)
            for part in (names, discovery, scan, devices, displays, boot, keys, statistics, forgotten):
                part(w)


main()
