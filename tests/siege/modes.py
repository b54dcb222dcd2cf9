"""The table of files in doc/security.md is what an initiator makes, and what src/sys/paths.def names."""
import os
import re
import stat

import strangers
import tap
from initiator import Initiator
from tgt import Tgt

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DAEMONS = ("iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd")


def documented():
    """{path: mode or None}; rows with N stand for every daemon."""
    rows = {}
    with open(os.path.join(TOP, "doc", "security.md")) as f:
        for path, mode in re.findall(r"^\| `([a-z]+/[^`]*)` \| ([^|]+) \|", f.read(), re.M):
            number = int(mode, 8) if re.fullmatch("[0-7]+", mode) else None
            for name in DAEMONS if re.search(r"\bN\b", path) else ("",):
                rows[re.sub(r"\bN\b", name, path)] = number
    return rows


def named():
    with open(os.path.join(TOP, "src", "sys", "paths.def")) as f:
        text = f.read()
    yield from (path + "/" for path in re.findall(r'^PATH_DIR\(\w+,\s*"([^"]+)"', text, re.M))
    yield from re.findall(r'^PATH_FILE\(\w+,\s*"([^"]+)"', text, re.M)
    for name in re.findall(r'^PATH_DAEMON\(\w+,\s*"([^"]+)"', text, re.M):
        yield from ("run/openisw/%s/" % name, "run/openisw/%s/sock" % name, "run/openisw/%s.pid" % name)


def there(root):
    """(path below the root, lstat) of all that is there, but what is on a mount, and the links to devices."""
    for folder, folders, files in os.walk(root):
        folders[:] = [d for d in folders if not os.path.ismount(os.path.join(folder, d))]
        for name in sorted(files + folders):
            path = os.path.join(folder, name)
            st = os.lstat(path)
            if not stat.S_ISLNK(st.st_mode):
                yield os.path.relpath(path, root) + ("/" if name in folders else ""), st


def main():
    with tap.script() as t, Tgt() as tgt:
        if os.geteuid() != 0:
            raise tap.Skip("modes are for root's initiator")
        rows = documented()
        with t.case("every path that the initiator knows is in the document"):
            missing = [path for path in named() if path not in rows]
            assert not missing, missing
        tgt.lun(tgt.target("one"), 1)
        with Initiator(held=True) as initiator:
            t.show_on_failure(initiator)
            for name in DAEMONS:
                if name != "iswd":
                    initiator.start_daemon(name)
            initiator.discover(tgt)
            initiator.command("insf", "-H", "255")
            with t.case("everything that is there is in the document, with its mode"):
                seen = 0
                for path, st in there(initiator.root):
                    if path in ("run/", "var/", "var/lib/", "var/log/"):
                        continue
                    if path.startswith("run/openisw/disk/") and path != "run/openisw/disk/":
                        continue
                    path = re.sub(r"/c\d+t\d+d\d+$", "/cXtYdZ", path)
                    assert path in rows, path + " is not in doc/security.md"
                    assert stat.S_IMODE(st.st_mode) == rows[path], "%s: %o" % (path, stat.S_IMODE(st.st_mode))
                    assert st.st_uid == 0, path
                    seen += 1
                assert seen >= 20, seen
            with t.case("nobody else can enter a session's mount"):
                mount = [os.path.join(initiator.path("run", "openisw", "disk"), d) for d in os.listdir(initiator.path("run", "openisw", "disk"))][0]
                disk = os.path.join(mount, os.listdir(mount)[0])
                assert strangers.outcome(strangers.read, disk) in ("Permission-denied", "Operation-not-permitted")


main()
