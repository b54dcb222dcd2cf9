"""usage: test_pages.py PAGE...: every row of the tables is on its page, as a reader sees it."""
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import tap  # noqa: E402 (found by the line above)


def shown(name):
    """The page in words, without breaks and overstriking."""
    path = next(p for p in sys.argv[1:] if os.path.basename(p) == name)
    text = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=400", path], capture_output=True, text=True, check=True).stdout
    return " ".join(re.sub(".\b", "", text).replace("\u2010", "-").replace("\u2019", "'").split())


def source(*words):
    return open(os.path.join(TOP, *words)).read()


def unquote(text):
    return " ".join(text.replace('\\"', '"').split())


def expect(page, rows, least):
    text = shown(page)
    assert len(rows) >= least, "only %d rows were found in the table" % len(rows)
    missing = [r for r in rows if r not in text]
    assert not missing, "%s lacks %d of %d rows: %s" % (page, len(missing), len(rows), missing[:5])


STRING = r'"((?:[^"\\]|\\.)*)"'

with tap.script() as t:
    if not shutil.which("mandoc"):
        with t.case("pages"):
            raise tap.Skip("mandoc is not installed")
        sys.exit(0)

    with t.case("every statistic is on its page with its name and its description"):
        rows = re.findall(r"^STAT\w*\(\w+, \w+, (?:\w+, )?%s, \"[A-Z/]+\",\s*%s\)" % (STRING, STRING),
                          source("src", "driver", "diag", "stats.def"), re.M)
        rows += re.findall(r"^LUN_STAT\(\w+, [^,]+, %s, \"[A-Z/]+\",\s*%s\)" % (STRING, STRING), source("src", "driver", "diag", "lun_stats.def"), re.M)
        expect("iscsi-statistics.7", [unquote(name) for name, _ in rows] + [unquote(text) for _, text in rows], 150)

    with t.case("every message is on its page with its identifier, text, cause and action"):
        rows = re.findall(r"^MSG\([CE], \d+, (\w+), .*?\n    %s,\n    %s,\n    %s\)" % (STRING, STRING, STRING),
                          source("src", "driver", "diag", "messages.def"), re.M)
        expect("iscsi-messages.7", [unquote(word) for row in rows for word in row], 100)

    with t.case("every key is on its page"):
        rows = re.findall(r'^KEY_\w+\s*\(\w+,\s*"([^"]+)"', source("src", "core", "keys.def"), re.M)
        expect("iscsi-keys.7", rows, 40)

    with t.case("every limit has a row that says whom it holds, and every row is on its page"):
        table = source("src", "base", "limits.def")
        rows = re.findall(r'^COST\(\w+, \w+, %s, (\w+), \w+, %s,\s*%s\)' % (STRING, STRING, STRING), table, re.M)
        expect("iscsi-limits.5", [unquote(word) for what, _, charged, reason in rows for word in (what, charged, reason)], 150)
        limits = re.findall(r"^#define (LIMIT_\w+)", source("src", "base", "limits.h"), re.M)
        missing = [n for n in limits if n not in [row[1] for row in rows]]
        assert not missing, "nobody is charged for " + ", ".join(missing)

    with t.case("every path, every fault of a name and every exit status is in iscsi(7)"):
        rows = re.findall(r'^PATH_(?:DIR|FILE)\(\w+,\s*"([^"]+)"', source("src", "sys", "paths.def"), re.M)
        rows += [m[1:] for m in re.findall(r'^INAME\((?!OK)\w+,\s*"([^"]+)"', source("src", "core", "iname.def"), re.M)]
        rows += re.findall(r'^STATUS\(\w+,\s*\d+, "([^"]+)"', source("src", "sys", "exit.def"), re.M)
        expect("iscsi.7", rows, 25)

    with t.case("every page that another one names exists"):
        known = {os.path.basename(p) for p in sys.argv[1:]}
        for folder, _, names in os.walk(TOP):
            if os.sep + "." not in folder and "build" not in folder.split(os.sep):
                known.update(re.sub(r"\.in$", "", n) for n in names if re.search(r"\.\d(\.in)?$", n))
        foreign = {"syslog.3", "fstab.5", "systemd.1", "udev.7"}
        # Their engineers write these pages; here they are only named.
        foreign |= {"iscsi_driverd.8", "iisnsd.8", "iradd.8", "islpd.8"}
        for path in sys.argv[1:]:
            for name, section in re.findall(r"^\.(?:It )?Xr (\S+) (\d)", open(path).read(), re.M):
                assert "%s.%s" % (name, section) in known | foreign, "%s names %s(%s)" % (path, name, section)
