"""The packages that are tried: what dist/build-deb makes of this checkout, or, with OPENISW_PACKAGES in the environment, what was
built before in that directory."""
import glob
import os
import re

import box
import proc

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def release():
    with open(os.path.join(TOP, "meson.build")) as f:
        return re.search(r"^  version: '(.*)',$", f.read(), re.M).group(1)


def build(program, *words):
    """Below a process 1 that waits for orphans, as every system has one: the unit tests make some."""
    proc.run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", '"$@"; exit $?', "bash",
             os.path.join(TOP, "dist", program), "--no-install", *words, limit=1500)


class Built:
    """What dist/build-deb made, and the same package under the number of an older release."""

    def __init__(self, *words):
        """words: for dist/build-deb."""
        self.dir = os.environ.get("OPENISW_PACKAGES")
        if self.dir:
            return
        self.dir = os.path.join(box.directory(), "built")
        build("build-deb", "--output", self.dir, *words)

    def file(self, pattern):
        found = glob.glob(os.path.join(self.dir, pattern))
        assert len(found) == 1, (pattern, os.listdir(self.dir))
        return found[0]

    def older(self):
        tree = os.path.join(box.directory(), "older")
        proc.run("dpkg-deb", "-R", self.file("openisw_*.deb"), tree)
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control) as f:
            text = f.read()
        with open(control, "w") as f:
            f.write(re.sub(r"(?m)^Version: .*", "Version: 0.0.1", text))
        proc.run("dpkg-deb", "-b", tree, tree + ".deb")
        return tree + ".deb"
