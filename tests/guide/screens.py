"""Displays as a terminal shows them, of 80 columns and of 120: in tmux, which tells which lines it had to break."""
import itertools
import os
import shlex
import subprocess

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import BUILD

# ioscan -f has HP-UX's columns, which are 83.
DISPLAYS = ("iscsiutil -l", "iscsiutil -lV", "iscsiutil -pD", "iscsiutil -pO", "iscsiutil -p", "iscsiutil -pVS", "iscsiutil -s", "iscsiutil -s -V", "iscsiutil -s -z -S 0", "iscsiutil /dev/isw -s -G",
            "iscsiutil /dev/iscsi", "iscsiutil -n -S 0", "iscsiutil -p -S 99", "iscsiutil -t nokey 1", "iscsiutil --nope",
            "iscsiutil -t NOPTimeout 6; iscsiutil -t NOPTimeout default", "iscsiutil -a -I 192.0.2.77; ioscan -H 255; iscsiutil -d -I 192.0.2.77",
            "ioscan -kH 255/0/9", "rmsf c9t9d9", "insf --nope", "iscsi nonsense", "iscsi_driverd --nope", "iscsi --version", "iscsidiag",
            "iscsiutil -s -S 0 -C -V",
            "iscsiutil -o", "iscsiutil --events", "iscsiutil --explain C12", "iscsiutil --help", "iscsiutil -u --help", "ioscan -k",
            "insf -e -v -H 255", "rmsf --help", "iscsi --help", "iradd --help", "iscsi_driverd --help", "iscsi status")
WIDER = ("ioscan -kf", "ioscan -kfn")


NUMBERS = itertools.count()


class Screen:
    """A terminal of so many columns, and as many lines as anything needs."""

    def __init__(self, made, columns, line, rows=1500):
        # A server that ends has its socket for a moment.
        self.path = os.path.join(box.directory(), "tmux%d" % next(NUMBERS))
        self.env = dict(made.env, TERM="screen", PATH=os.path.dirname(made.program("iscsiutil")) + ":/usr/sbin:/usr/bin:/sbin:/bin")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "sh -c %s" % shlex.quote(line + "; echo; echo '(it is over)'; exec cat"))

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=self.env, check=True, timeout=20).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")

    def lines(self, *how):
        return [line.rstrip() for line in self.tmux("capture-pane", "-p", *how).rstrip().split("\n")]

    def end(self):
        """What is shown when the command has ended; with -J lines that were broken are whole."""
        proc.wait_for("its end", lambda: self.lines()[-1] == "(it is over)", limit=20)
        return self.lines()[:-2], self.lines("-J")[:-2]


def shown(made, columns, line):
    with Screen(made, columns, line) as screen:
        return screen.end()


def fits(t, made):
    for columns in (80, 120):
        with t.case("displays fit a terminal of %d columns" % columns, limit=120):
            wrong = []
            for line in DISPLAYS + (WIDER if columns > 83 else ()):
                broken, whole = shown(made, columns, line)
                # Where the root is / a path is shorter.
                wide = [row for row in set(whole) - set(broken) if len(row.replace(made.root, "").replace(BUILD, "")) > columns]
                if wide or not any(broken):
                    wrong.append((line, wide))
            assert not wrong, "\n".join("%s: %s" % row for row in wrong)


def redrawn(t, made):
    with t.case("an overview that is watched stays where it is"):
        with Screen(made, 80, "iscsiutil -o --watch 1", rows=30) as screen:
            screen.tmux("set-option", "-g", "history-limit", "1000")
            proc.wait_for("the overview", lambda: any("c0t0d1" in line for line in screen.lines()))
            first = screen.lines()
            made.command("rmsf", "c0t0d1")
            proc.wait_for("the change", lambda: not any("c0t0d1 " in line for line in screen.lines()), limit=10)
            again = screen.lines()
            assert sum("S/W State" in line for line in again) == 1 and again[0] == first[0], again


def main():
    with tap.script() as t:
        if subprocess.run(["tmux", "-V"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise tap.Skip("tmux is not installed")
        with FieldTarget([Unit(0), Unit(1, "B")]) as target, field.world(t, target) as made:
            made.command("insf", "-H", "255")
            fits(t, made)
            redrawn(t, made)


main()
