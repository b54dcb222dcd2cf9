"""How long requests wait when a portal of LIO fails: the kernel's initiator (open-iscsi, dm-multipath) beside ours, each with what it does by
itself and with its shortest time limits.  For people, by hand; arguments: only "ours" or "open-iscsi".  OPENISW_CYCLES: instead of 10 times
each; OPENISW_KERNELS: see uml.py.

Four writers, a request each at a time, with O_DIRECT, on one unit over two portals.  The kernel's initiator is in User Mode Linux, too,
because this machine's kernel need not have it."""
import glob
import os
import statistics
import sys

import box
import field
import proc
import tap
from fieldpaths import Writers
from lio import ADDRESS, BLOCKS, Lio, disk, discover, is_wanted, lost, put_back
from netkill import NetKill
from uml import Uml, kernel

TIMES = int(os.environ.get("OPENISW_CYCLES", "10"))
KINDS = (("silent", "silent", False), ("reset", "refusing", True), ("refused", "refusing", False))
PACKAGES = ("open-iscsi", "libopeniscsiusr", "libisns0", "multipath-tools", "kpartx", "dmsetup", "libdevmapper1.02.1", "liburcu8", "libaio1",
            "libmount1", "udev", "libudev1", "libsystemd0", "libkmod2")
LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
# In the guest: writers who answer what they are asked.
ASKED = """
import sys
sys.path.insert(0, %r)
from fieldpaths import Writers
with Writers(sys.argv[1], blocks=%d) as w:
    for line in sys.stdin:
        if line.strip() == "end":
            break
        if line.strip() == "again":
            w.longest = 0.0
        print(min(w.turns), w.longest, len(w.errors), flush=True)
w.check()
print("good", flush=True)
""" % (os.path.abspath(LIB), BLOCKS)
DISCOVERED = "iscsiadm -m discovery -t st -p %s >/dev/null" % ADDRESS[1]
FAST = {"node.conn[0].timeo.noop_out_interval": 1, "node.conn[0].timeo.noop_out_timeout": 1, "node.session.timeo.replacement_timeout": 1}
OURS = (("ours, as it is", {}), ("ours, NOPInterval and NOPTimeout 1", {"NOPInterval": 1, "NOPTimeout": 1}))
THEIRS = (("open-iscsi, as it is", False), ("open-iscsi, all limits 1", True))


def packages():
    """A directory with what the guest needs beside this machine's files."""
    kept = os.path.join(os.environ.get("OPENISW_KERNELS", box.directory()), "open-iscsi")
    root = os.path.join(kept, "root")
    if not os.path.exists(root):
        os.makedirs(kept, exist_ok=True)
        proc.run("apt-get", "-o", "APT::Sandbox::User=root", "download", *PACKAGES, cwd=kept, limit=300)
        for deb in glob.glob(os.path.join(kept, "*.deb")):
            proc.run("dpkg", "-x", deb, root)
        for name in ("bin", "sbin", "lib"):  # as on this machine, where they are links
            proc.run("sh", "-c", "mkdir -p usr/%s && cp -a %s/. usr/%s/ && rm -r %s" % (name, name, name, name), cwd=root)
    return root


class Kernel(Uml):
    """The guest whose kernel is the initiator."""

    def __init__(self, is_fast):
        super().__init__("tap1", "beside.sh", "10.98.0.1/24", memory="512M", words=["packages=" + packages()])
        self.is_fast = is_fast

    def begin(self):
        self.do(DISCOVERED)
        for key, value in FAST.items() if self.is_fast else ():
            self.do("iscsiadm -m node -o update -n '%s' -v %d" % (key, value))
        short = "polling_interval 1; fast_io_fail_tmo 1; ".replace("; ", "\\n") if self.is_fast else ""
        # This kernel has no device handlers; with both groups optimized none is needed.
        self.do("printf 'defaults {\\nfind_multipaths no\\n%s}\\noverrides {\\nhardware_handler \"0\"\\n}\\n' >/etc/multipath.conf" % short)
        self.do("iscsiadm -m node -L all >/dev/null && multipathd", 60)
        proc.wait_for("both paths", lambda: self.paths() == 2, limit=60)
        self.disk = "/dev/mapper/" + self.do("dmsetup ls")[-1].split()[0]
        with open(os.path.join(box.directory(), "asked.py"), "w", encoding="ascii") as f:
            f.write(ASKED)
        self.do("mkfifo /run/in /run/out")
        self.do("%s %s %s </run/in >/run/out 2>/run/asked.err & exec 7>/run/in 8</run/out" % (sys.executable, f.name, self.disk))

    def paths(self):
        """Those that are active, of sessions that are logged in."""
        said = self.do("dmsetup status --target multipath | grep -o '[0-9]:[0-9]* A' | wc -l; cat /sys/class/iscsi_session/*/state | grep -c LOGGED_IN; true")
        return min(int(said[-2]), int(said[-1]))

    def __enter__(self):
        try:
            self.begin()
        except Exception:
            self.end()
            raise
        return self

    def ask(self, word="turns"):
        turns, longest, errors = self.do("echo %s >&7; read -r x <&8; echo $x" % word, 60)[-1].split()
        assert errors == "0", "%s errors" % errors
        return int(turns), float(longest)

    def go_on(self, turns=1):
        # One more: the least of all turns may be that of who had just begun.
        until = self.ask()[0] + turns + 1
        proc.wait_for("work to go on", lambda: self.ask()[0] > until, limit=300, every=0.1)

    def again(self):
        self.ask("again")

    def longest(self):
        return self.ask()[1]

    def lost(self, _group):
        proc.wait_for("the loss", lambda: int(self.do("cat /sys/class/iscsi_session/*/state | grep -vc LOGGED_IN; true")[-1]) > 0, limit=60)

    def put_back(self):
        proc.wait_for("both paths", lambda: self.paths() == 2, limit=120, every=0.2)

    def __exit__(self, kind, *_):
        if kind is None:
            said = self.do("echo end >&7; while read -r x <&8; do echo $x; [ \"$x\" != good ] || break; done", 120)
            assert said[-1] == "good", said
        self.end()


class Ours:
    """Our initiator, on this machine."""

    def __init__(self, made):
        self.made = made
        discover(made)
        self.writers = Writers(disk(made), blocks=BLOCKS)
        self.go_on = self.writers.go_on

    def __enter__(self):
        self.writers.__enter__()
        return self

    def again(self):
        self.writers.longest = 0.0

    def longest(self):
        return self.writers.longest

    def lost(self, group):
        lost(self.made, group)

    def put_back(self):
        put_back(self.made)

    def __exit__(self, *_):
        self.writers.__exit__()
        self.writers.check()


def measure(t, net, who, name):
    for what, how, soon in KINDS:
        took = []
        for i in range(TIMES):
            address = ADDRESS[1 + i % 2]
            who.go_on(2)
            who.again()
            net.kill(how, address)
            who.lost(1 + i % 2)
            if not soon:
                who.go_on(5)
            net.mend(address)
            who.put_back()
            who.go_on()
            took.append(who.longest())
        t.comment("%-34s %-8s %3d times: %6.2f s at the least, %6.2f in the middle, %6.2f in nine of ten, %6.2f at the most" % (
            name, what, TIMES, min(took), statistics.median(took), sorted(took)[(9 * len(took) - 1) // 10], max(took)))


def main():
    with tap.script() as t:
        kernel()
        packages()
        box.own_network()
        lio = Lio()
        try:
            lio.do("ip route add default via 10.99.0.1")
            with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
                f.write("1")
            net = NetKill(3260)
            for name, limits in OURS if is_wanted("ours") else ():
                with t.case(name, limit=3600), field.initiator(t, Failback="immediate", **limits) as made, Ours(made) as who:
                    measure(t, net, who, name)
            for name, is_fast in THEIRS if is_wanted("open-iscsi") else ():
                with t.case(name, limit=3600), Kernel(is_fast) as who:
                    measure(t, net, who, name)
        finally:
            lio.end()


main()
