"""doc/troubleshooting.md: its commands are run, in order, and must print what it says.

With DOC_UPDATE in the environment the document's blocks are written anew, to be read before they are committed.
What differs from run to run is replaced by the same words on both sides (STEADY).
"""
import os
import re
import subprocess

import accounts
import box
import net
import proc
import tap
from initiator import Initiator
from tgt import Tgt

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "troubleshooting.md")
BLOCK = re.compile(r"((?:<!-- do: [\w-]+ -->\n)?)```console\n(.*?)```\n", re.S)
NAME = "iqn.2026-11.org.example:host"
STEADY = [
    (r"\(pid \d+\)", "(pid 1234)"),
    (r"process \d+ \(python3\)", "process 1234 (tail)"),
    (r"iscsidiag\.\d+\.log", "iscsidiag.1234.log"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-22T12:00:00Z"),
    (r"(Local Address +: 127\.0\.0\.1:)\d+", r"\g<1>40000"),
    (r"(Round Trip \(us\) +: )\d+", r"\g<1>150"),
    (r"(ISID +: )[0-9a-f]{12}", r"\g<1>801234560000"),
    (r"(TSIH +: )\d+", r"\g<1>256"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-22 12:00:00"),
    (r"(?m)^(Number of .* : )[1-9]\d*$", r"\g<1>2"),  # how often a login was tried depends on the time
    (r"/dev/loop\d+", "/dev/loop0"),
    (r"(?m)^(OpenISW\.[\w-]+ +\S+ +)\S+/", r"\g<1>/usr/sbin/"),
]


class Scene:
    """What the document's commands meet."""

    def __init__(self):
        accounts.make()  # as where it is installed
        self.initiator = Initiator()
        net.free_port = lambda _host="127.0.0.1": 3260  # a network of our own: the port that everybody knows
        self.target = Tgt()
        self.file = None

    def run(self, command):
        done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=60, env=self.initiator.env, cwd="/")
        text = done.stdout.replace(self.initiator.root, "")
        for pattern, word in STEADY:
            text = re.sub(pattern, word, text)
        return "".join(line.rstrip() + "\n" for line in text.splitlines())

    def do(self, what):
        if what == "target":
            self.initiator.command("iscsiutil", "-i", "-N", NAME)
            self.target.start()
            self.target.lun(self.target.target("disks"), 1)
        elif what == "chap":
            self.target.adm("account", "new", user="host", password="a-secret-of-12")
            self.target.adm("account", "bind", tid=1, user="host")
        elif what == "no-chap":
            self.target.adm("account", "unbind", tid=1, user="host")
        elif what == "open":
            self.file = open(self.initiator.disk("disks", 1)["file"], "rb")
        elif what == "close":
            self.file.close()
        else:
            raise AssertionError("the document wants to \"%s\"" % what)

    def end(self):
        if self.file:
            self.file.close()
        proc.run(self.initiator.program("iscsi"), "stop", "--force", env=self.initiator.env, ok=None, limit=60)
        self.target.stop()


def block(scene, lead, body):
    """The block as it is printed now."""
    what = re.match(r"<!-- do: ([\w-]+) -->", lead)
    if what:
        scene.do(what.group(1))
    commands = [line[2:] for line in body.splitlines() if line.startswith("# ")]
    assert commands, "a block without a command"
    return "".join("# %s\n%s" % (c, scene.run(c)) for c in commands)


with tap.script() as t:
    if not box.isolated():
        raise tap.Skip("no namespaces here: the document's target has the well-known port")
    if not os.path.exists("/dev/fuse"):
        raise tap.Skip("no FUSE here")
    text, scene, update = open(DOC).read(), Scene(), "DOC_UPDATE" in os.environ
    for name in ("iscsi", "iscsi_driverd", "iswd", "iscsi_resolvd", "iscsiutil", "ioscan", "insf", "iscsidiag"):
        scene.initiator.program(name)
    try:
        with t.case("the document has blocks"):
            assert len(BLOCK.findall(text)) >= 15

        def check(m):
            now = m.group(2)
            with t.case(m.group(2).splitlines()[0][2:], limit=120):
                now = block(scene, m.group(1), m.group(2))
                if not update:
                    assert now == m.group(2), ("the document says:\n%s\nand it is now:\n%s\nWhere that is right: DOC_UPDATE=1 "
                                               "meson test troubleshooting" % (m.group(2), now))
            return "%s```console\n%s```\n" % (m.group(1), now)
        text = BLOCK.sub(check, text)
    finally:
        scene.end()
    if update:
        with open(DOC, "w") as f:
            f.write(text)
