"""./demo itself: it ends well, shows what the guide's chapter 4 shows, and leaves nothing, also when it is interrupted."""
import os
import re
import signal
import subprocess

import box
import proc
import tap
from initiator import BUILD, have_fuse, have_loop

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
COMMANDS = ["iscsi start", "iscsiutil -l", "iscsiutil -a -I 127.0.0.1", "iscsiutil -p -D", "ioscan -H 255", "insf -H 255",
            "iscsiutil -p -O", "iscsiutil -pVS", "iscsiutil -n -S 0", "iscsi stop"]
# Site scripts parse these lines: the label, blanks up to the colon in column 28.
LABELS = ["Initiator Name", "Initiator Alias", "", "Authentication Method", "CHAP Method", "Initiator CHAP Name",
          "CHAP Secret", "NAS Hostname", "NAS Secret", "Radius Server Hostname", "Header Digest", "Data Digest",
          "SLP Scope list for iSLPD"]


def main():
    with tap.script() as t:
        environment = dict(os.environ, OPENISW_BUILD=BUILD, TMPDIR=box.directory())
        command = [os.path.join(TOP, "demo"), "--no-install"]
        with t.case("the demo ends well", 120):
            out = proc.run(*command, env=environment, limit=110).out
            assert "The demo went well" in out and "Nothing is left behind" in out, out
            assert "\033" not in out, "colours without a terminal"
        with t.case("it shows every command of the guide's chapter 4, in order"):
            at = 0
            for word in COMMANDS:
                at = out.find("\n# " + word, at)
                assert at >= 0, "%s is not shown in its place" % word
        with t.case("iscsiutil -l has the labels that site scripts parse"):
            lines = out.split("# iscsiutil -l\n", 1)[1].splitlines()[:len(LABELS)]
            assert [line[:27].rstrip() for line in lines] == LABELS, lines
            assert all(line[27] == ":" for line in lines if line), lines
        with t.case("a file system is made, filled, checked"):
            if not (have_loop() and have_fuse()):
                raise tap.Skip("no loop devices here; the demo used the disk's file")
            for word in ("mkfs.ext4", "files: all the same", "fsck.ext4 -fn", "umount"):
                assert word in out, word
        for word in ("iscsi start", "iscsiutil -pVS", "cp -r" if have_loop() else "insf"):
            with t.case("interrupted at `%s`, it leaves nothing" % word, 120):
                p = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, text=True, start_new_session=True)
                seen = ""
                for line in p.stdout:
                    seen += line
                    if line.startswith("# " + word):
                        p.send_signal(signal.SIGINT)
                assert p.wait(60) == 130, "exit status %d: %s" % (p.returncode, seen)
                mine = re.search(re.escape(box.directory()) + r"/openisw-demo\.\w+", seen).group()
                left = box.leftovers(mine)
                assert not left and not os.path.exists(mine), left


main()
