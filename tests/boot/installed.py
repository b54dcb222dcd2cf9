"""A whole system that runs, into which the package comes, in which it is upgraded while a disk is written to, and which it leaves:
tests/package/upgrade.sh and debian/tests in the guest of ./check --vm, with its kernel, systemd and udev, and its target beside it."""
import os
import re
import shutil

import box
import tap
from guest import Built, Guest, Network

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOOLS = ("qemu-system-x86_64", "debootstrap", "dpkg-buildpackage")
PRUNED = "proc sys dev run tmp root package-test var/tmp var/log var/cache var/lib/dpkg var/lib/apt var/lib/systemd"
# What every installation writes, of whatever package.
WRITTEN = re.compile(r"/etc/(ld\.so\.cache|\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-)(?: |$)")
# The network is wanted: the packages of the guest.
box.NAMESPACES = [word for word in box.NAMESPACES if word != "--net"]


class Bare(Guest):
    """Without the package, but with what it depends on; the packages lie in it."""
    more = ("tgt", "mount", "e2fsprogs")

    def __init__(self, network, older):
        super().__init__(network)
        self.older = older

    def put(self, place, deb):
        shutil.copytree(os.path.join(TOP, "debian", "tests"), place.path("package-test/tests"))
        shutil.copy(os.path.join(TOP, "tests", "package", "upgrade.sh"), place.path("package-test/tests"))
        shutil.copy(self.older, place.path("package-test/old.deb"))
        shutil.copy(deb, place.path("package-test/new.deb"))
        # Its tests start their own.
        place.run("systemctl", "disable", "tgt.service", ok=None)


def files(guest):
    prune = " -o ".join("-path /" + p for p in PRUNED.split())
    out = guest.sh("find / -xdev \\( %s \\) -prune -o -printf '%%p %%y %%m %%U %%G\\n'; sed 's/^/passwd: /' /etc/passwd; sed 's/^/group: /' /etc/group"
                   % prune, limit=200)[0]
    return {line for line in out.splitlines() if not WRITTEN.match(line)}


def left(guest, clean):
    found = files(guest)
    assert len(clean) > 5000 and found == clean, "left: %s; lost: %s" % (sorted(found - clean)[:50], sorted(clean - found)[:50])
    units = guest.sh("systemctl list-units --all --no-legend '*openisw*' 'iscsi_*' iswd.service islpd.service iisnsd.service iradd.service", ok=None)[0]
    mounts = guest.sh("cat /proc/mounts")[0]
    assert not [line for line in units.splitlines() if "not-found" not in line] and "openisw" not in mounts, (units, mounts)
    assert guest.sh("ls -d /dev/dsk /dev/rdsk /dev/iscsi /dev/isw /run/openisw 2>/dev/null", ok=None)[0].strip() == ""


def main():
    with tap.script() as t:
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        if missing or not box.isolated() or not os.path.exists("/dev/net/tun"):
            raise tap.Skip("root and %s are needed" % ", ".join(missing or ["namespaces and /dev/net/tun"]))
        network, guest = Network(), None
        with t.case("a Debian that has what the package depends on", limit=3000):
            built = Built("--no-check")
            guest = Bare(network, built.older())
            guest.install(built.file("openisw_*.deb"))
        if guest is None or not os.path.exists(guest.path("disk.img")):
            return
        t.show_on_failure(guest)
        clean = set()
        try:
            with t.case("it boots", limit=900):
                guest.start()
                t.comment("booted after %.0f s" % guest.booted())
                clean = files(guest)
            with t.case("installed while it runs: the first disk, written, mounted again after a restart", limit=900):
                guest.sh("dpkg -i /package-test/new.deb", limit=300)
                assert guest.sh("systemctl is-active openisw.target iscsi_driverd iswd")[0].split() == ["active"] * 3
                out = guest.sh("sh /package-test/tests/first-disk", limit=400)[0]
                assert out.rstrip().endswith("ok"), out
            with t.case("purged, nothing is left of it", limit=500):
                guest.sh("dpkg -P openisw", limit=200)
                left(guest, clean)
            with t.case("an upgrade under input and output, a refused removal, the new release, and purged", limit=1500):
                out = guest.sh("sh /package-test/tests/upgrade.sh /package-test/old.deb /package-test/new.deb", limit=1400)[0]
                assert out.rstrip().endswith("all of it held"), out
                t.comment(out)
            with t.case("nothing is left of it then either", limit=300):
                left(guest, clean)
            with t.case("and the system goes down by itself", limit=300):
                t.comment("off after %.0f s" % guest.power_off(280))
        finally:
            guest.kill()
            network.stop()


main()
