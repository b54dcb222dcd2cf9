"""A clean Debian in a directory, to install packages in: debootstrap makes it, and programs run in it as in a container, also
systemd as its process 1."""
import os
import re
import subprocess

import box
import proc
import tap

SKIPPED = ("./proc", "./sys", "./tmp", "./root", "./var/cache", "./var/lib/apt", "./var/lib/dpkg", "./var/log/apt", "./var/log/journal", "./package-test")
# What every installation of whatever package writes.
WRITTEN = re.compile(r"^\./(etc/ld\.so\.cache|etc/(passwd|group|shadow|gshadow|subuid|subgid)-|var/log/(dpkg|alternatives)\.log|"
                     r"var/lib/systemd/deb-systemd-helper-enabled|etc/\.pwd\.lock|run/lock\S*) ")
ACCOUNTS = ("passwd", "group", "shadow", "gshadow")
SEPARATE = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
# Process 1 is systemd, in namespaces of its own; it runs /package-test/command, and then all of it ends.
BOOT = r"""
mount --make-rprivate /
ip link set lo up || exit 77
mount --bind "$1" "$1" && cd "$1" || exit 77
mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp || exit 77
if grep -q ' /sys/fs/cgroup cgroup2 ' /proc/mounts; then
	mount -t cgroup2 cgroup2 sys/fs/cgroup || exit 77
else
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup && mkdir sys/fs/cgroup/systemd
	mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd || exit 77
fi
mkdir -p package-test/old package-test/dev && mount -t tmpfs -o mode=755 tmpfs package-test/dev && cp -a dev/. package-test/dev
mkdir -p package-test/dev/shm package-test/dev/pts; rm package-test/dev/console; : >package-test/dev/console
mount --move package-test/dev dev && pivot_root . package-test/old || exit 77
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c 'umount -l /package-test/old &&
	exec /lib/systemd/systemd --unit=package-test.target --log-target=console --show-status=0'
"""
UNITS = {
    "package-test.target": "[Unit]\nWants=package-test.service systemd-journald.service\n",
    "package-test.service": "[Service]\nType=oneshot\nStandardOutput=append:/package-test/out\nStandardError=append:/package-test/out\n"
                            "ExecStart=/bin/sh /package-test/command\nExecStopPost=/bin/systemctl poweroff -ff\n",
}


def mirror():
    """Where the packages of this machine come from."""
    lines = proc.run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Created-By: Packages").out.splitlines()
    name = suite()
    found = [line.split()[0] for line in lines if line.split()[1:] == [name]]
    if not found:
        raise tap.Skip("apt has no source of the release %s" % name)
    return found[0]


def suite():
    with open("/etc/os-release") as f:
        return re.search(r"^VERSION_CODENAME=(\w+)$", f.read(), re.M).group(1)


class Place:
    def __init__(self, name="place"):
        self.dir = os.path.join(box.directory(), name)
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/", "LC_ALL": "C"}

    def path(self, *words):
        return os.path.join(self.dir, *words)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as f:
            f.write(text)

    def make(self, *packages):
        """The smallest Debian, and these packages with what they depend on."""
        proc.run("debootstrap", "--variant=minbase", "--cache-dir=/var/cache/apt/archives", suite(), self.dir, mirror(), limit=900)
        for name in ("/etc/resolv.conf", "/etc/hosts"):
            proc.run("cp", "-L", name, self.path(name[1:]))
        for name in ["fuse", "loop-control"] + ["loop%d" % n for n in range(64)]:
            if os.path.exists("/dev/" + name):
                proc.run("cp", "-a", "/dev/" + name, self.path("dev", name))
        # Services of these packages do not start: they are not what is tried.
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
        os.chmod(self.path("usr/sbin/policy-rc.d"), 0o755)
        self.run("apt-get", "update", limit=300)
        self.run("apt-get", "satisfy", "-y", "--no-install-recommends", *packages, limit=600)
        os.unlink(self.path("usr/sbin/policy-rc.d"))
        # Programs that are told so make their temporary files in the same place in there.
        os.makedirs(self.path(os.environ.get("TMPDIR", "/tmp").lstrip("/")), exist_ok=True)
        self.write("package-test/made", "")

    def run(self, *argv, limit=120, ok=(0,), net=True):
        """In it, with processes and mounts of its own that end with the command; net: the machine's network, or none."""
        wall = SEPARATE + ([] if net else ["--net"])
        return proc.run(*wall, "--root", self.dir, "--wd", "/", "--mount-proc", *argv, limit=limit, ok=ok, env=self.env)

    def boot(self, command, limit=300):
        """Boots systemd in it, which runs the command (text for sh); what that printed."""
        for name, text in UNITS.items():
            self.write("etc/systemd/system/" + name, text)
        self.write("package-test/command", command)
        self.write("package-test/out", "")
        argv = SEPARATE + ["--uts", "--ipc", "--net", "--cgroup", "sh", "-c", BOOT, "boot", self.dir]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=limit)
        except subprocess.TimeoutExpired as over:
            done = over
        finally:
            for name in UNITS:
                os.unlink(self.path("etc/systemd/system", name))
        with open(self.path("package-test/out"), errors="replace") as f:
            out = f.read()
        if getattr(done, "returncode", 0) == 77 or not out:
            raise tap.Skip("systemd does not boot in a namespace here: %s" % (done.stderr or "no answer")[-300:])
        return out

    def files(self):
        """Everything in it: {"PATH TYPE MODE OWNER GROUP"}, and every line of the accounts."""
        text = proc.run("env", "-C", self.dir, "find", ".", "-xdev", "(", *" -o ".join("-path " + p for p in SKIPPED).split(), ")", "-prune", "-o",
                        "-printf", "%p %y %m %U %G\n", limit=60).out
        found = {line for line in text.splitlines() if not WRITTEN.match(line)}
        for name in ACCOUNTS:
            with open(self.path("etc", name)) as f:
                found |= {"%s: %s" % (name, line.rstrip("\n")) for line in f}
        return found
