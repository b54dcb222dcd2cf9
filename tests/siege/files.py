"""What files that somebody else has written may cost: a registry that is damaged or another version's, configuration files.

Each program either starts, and costs little, or says in a sentence what is wrong, and ends: at once, and with little memory.
"""
import os
import shutil
import sqlite3

import proc
import tap
from cost import memory_kib
from initiator import Initiator

MIB = 1 << 20


def sql(*statements):
    def change(path):
        db = sqlite3.connect(path)
        db.create_collation("INAME", lambda a, b: (a > b) - (a < b))
        for s in statements:
            db.execute(s)
        db.commit()
        db.close()
    return change


def overwrite(data):
    def change(path):
        with open(path, "wb") as f:
            f.write(data)
    return change


def size(n):
    return lambda path: os.truncate(path, n(os.path.getsize(path)) if callable(n) else n)


SETTING = "INSERT INTO setting VALUES (0, '', '', 0, 0, '%s', %s)"
REGISTRIES = (
    # name, what is done to the file, words of the sentence (None: it starts)
    ("cut off in the middle", size(lambda n: n // 2 & ~4095), "damaged|not a registry|cut off"),
    ("cut off to nothing", size(0), "is empty"),
    ("of 16 MiB of anything", overwrite(os.urandom(MIB) * 16), "not a registry|damaged"),
    ("with 1 GiB of zeros behind it", size(1 << 30), None),
    ("of a newer version", sql("PRAGMA user_version = 99"), "newer version"),
    ("of an older version by its number only", sql("PRAGMA user_version = 1"), "does not have the tables"),
    ("with a trigger", sql("CREATE TRIGGER x AFTER INSERT ON setting BEGIN DELETE FROM setting; END"), "does not have the tables"),
    ("with a value of 64 MiB", sql(SETTING % ("debug_level", "hex(zeroblob(%d))" % (32 * MIB))), None),
    ("with two values of 64 MiB", sql(*(SETTING % (key, "hex(zeroblob(%d))" % (32 * MIB)) for key in ("debug_level", "initiator_alias"))),
     "no registry has more than"),
    ("with a million values that nobody knows", sql(
        "INSERT INTO setting WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
        " SELECT 0, '', '', 0, 0, 'unknown' || i, 'x' FROM n"), None),
    ("with a session number beyond all", sql("INSERT INTO session VALUES (99999999, 'iqn.2026-11.org.example:x', 'a', 'a', 1, 1)"), None),
)


def ends(initiator, program):
    """What it says before it ends, with so little memory and time."""
    out = proc.run("prlimit", "--data=%d" % (48 * MIB), initiator.program(program), "--foreground", env=initiator.env, limit=5, ok=None)
    assert out.code != 0 and len(out.err) < 4096, out
    return out.err.strip()


def registries(t):
    with Initiator("model") as model:
        model.command("iscsiutil", "-a", "-I", "192.0.2.1")
    good = model.path("var", "lib", "openisw", "registry.db")
    for name, change, words in REGISTRIES:
        with t.case("a registry %s: %s, at once and with little memory" % (name, "it is refused" if words else "it starts"), 60):
            i = Initiator("r")
            path = i.path("var", "lib", "openisw", "registry.db")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copy(good, path)
            change(path)
            if words is None:
                with i:
                    i.request("session.list")
                    peak = memory_kib(i.driver.pid, "VmHWM") / 1024
                t.comment("%s: %.1f MiB" % (name, peak))
                # It is held in memory; SQLite holds a row once more to compare its key.
                assert peak < (192 if "64 MiB" in name else 48 if "million" in name else 24), peak
            else:
                before = os.path.getsize(path)
                said = ends(i, "iscsi_driverd")
                t.comment("%s: %s" % (name, said))
                assert any(w in said for w in words.split("|")) and os.path.getsize(path) == before, said
            shutil.rmtree(i.dir)


def fifo(path):
    os.mkfifo(path)


def names(t):
    for name, make in (("a pipe that nobody writes", fifo), ("1 GiB of zeros", lambda p: (overwrite(b"")(p), os.truncate(p, 1 << 30))),
                       ("names that are none", overwrite(b"InitiatorName=not a name\n" * 1000)), ("a directory", os.mkdir),
                       ("bytes", overwrite(os.urandom(MIB)))):
        with t.case("initiatorname.iscsi that is %s: the driver starts with a name of its own" % name, 30):
            i = Initiator("n")
            path = i.path("etc", "iscsi", "initiatorname.iscsi")
            os.makedirs(os.path.dirname(path))
            make(path)
            with i:
                assert i.request("initiator.get")["name"].startswith("iqn.2026-11.org.openisw:")
                assert memory_kib(i.driver.pid, "VmHWM") < 64 * 1024
            shutil.rmtree(i.dir)


def islpd(t):
    for name, make in (("a million lines", overwrite(b"# nothing\n" * MIB)), ("a line of 16 MiB", overwrite(b"x" * 16 * MIB)),
                       ("bytes", overwrite(os.urandom(MIB)))):
        with t.case("a configuration of islpd that is %s is refused, at once and with little memory" % name, 30):
            i = Initiator("s")
            path = i.path("etc", "openisw", "islpd.conf")
            os.makedirs(os.path.dirname(path))
            make(path)
            said = ends(i, "islpd")
            t.comment("%s: %s" % (name, said))
            assert "line " in said, said
            shutil.rmtree(i.dir)


with tap.script() as script:
    registries(script)
    names(script)
    islpd(script)
