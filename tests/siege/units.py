"""The units for systemd, in a systemd: all of them run as closed as they are, and disks are served and mounted for everybody.

systemd boots as process 1 of namespaces of its own, on a copy of the machine's file system that is thrown away.
"""
import json
import os
import re
import shutil
import subprocess

import box
import proc
import tap
from accounts import FIRST, wanted

BUILD = os.environ["OPENISW_BUILD"]
SYSTEMD = "/lib/systemd/systemd"
UNITS = ("iscsi_holderd", "iscsi_driverd", "iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd", "openisw-scan", "openisw-unmount")
NAME = "iqn.2026-11.org.example:one"

# What runs beside the units once they are up; each line it prints with "-- " in front begins a section.
PROBE = r"""
PATH=%(sbin)s:%(bin)s:/usr/sbin:/usr/bin:/sbin:/bin
states() { for u in %(units)s; do echo "$u $(systemctl show -P ActiveState $u) $(systemctl show -P Result $u) $(systemctl show -P NRestarts $u)"; done; }
ip link set lo up
truncate -s 16M /disk.img
tgtd -C 1 --iscsi portal=127.0.0.1:3260
until tgtadm -C 1 --mode target --op show >/dev/null 2>&1; do sleep 0.1; done # no-sleep-ok: it polls
tgtadm -C 1 --lld iscsi --mode target --op new --tid 1 -T %(name)s
tgtadm -C 1 --lld iscsi --mode logicalunit --op new --tid 1 --lun 1 -b /disk.img
tgtadm -C 1 --lld iscsi --mode target --op bind --tid 1 -I ALL
echo "-- started"; states
echo "-- users"; for d in iswd iscsi_resolvd islpd iisnsd iradd; do echo "$d $(stat -c %%u /proc/$(systemctl show -P MainPID $d.service)/environ) $(grep ^Uid: /proc/$(systemctl show -P MainPID $d.service)/status | cut -f2)"; done
echo "-- scan"; iscsiutil -a -I 127.0.0.1; ioscan -H 255; insf -H 255 2>/dev/null
echo "-- written"; echo seen-by-everybody | dd of=/dev/rdsk/c0t0d1 bs=512 conv=sync,notrunc,fsync 2>/dev/null; head -c 17 /disk.img; echo
echo "-- byhand"; for d in iswd islpd iisnsd iradd; do systemctl stop $d; $d; old=$(cat /run/openisw/$d.pid); systemctl start $d; echo "$d $(systemctl show -P ActiveState $d) $(systemctl show -P NRestarts $d) $([ -d /proc/$old ] || echo gone)"; done
echo "-- restarted"; systemctl restart iswd; systemctl kill -s KILL iradd
until [ "$(systemctl show -P NRestarts iradd) $(systemctl show -P ActiveState iradd)" = "1 active" ]; do sleep 0.1; done # no-sleep-ok: it polls
ioscan -H 255 >/dev/null; states; iscsi status
echo "-- killed"; was=$(systemctl show -P InvocationID openisw-unmount); systemctl kill -s KILL iscsi_driverd
until [ "$(systemctl show -P NRestarts iscsi_driverd) $(systemctl show -P ActiveState iscsi_driverd)" = "1 active" ]; do sleep 0.1; done # no-sleep-ok: it polls
[ "$was" = "$(systemctl show -P InvocationID openisw-unmount)" ] && systemctl is-active openisw-unmount
until [ "$(systemctl show -P ActiveState openisw-scan)" = active ]; do sleep 0.1; done # no-sleep-ok: it polls
echo "-- replaced"; exec 3<>/dev/rdsk/c0t0d1; was=$(systemctl show -P MainPID iscsi_driverd); iscsi restart
[ "$(systemctl show -P MainPID iscsi_driverd)" != "$was" ] && echo another
echo by-the-same-opener | dd bs=512 conv=sync,notrunc oflag=direct >&3 2>/dev/null; head -c 18 /disk.img; echo; exec 3>&-
systemctl is-active openisw-unmount; iscsi status | grep -c " is running "
systemctl stop openisw.target
while systemctl --no-legend --state=active,activating,deactivating list-units %(services)s | grep -q service; do sleep 0.1; done # no-sleep-ok: it polls
echo "-- stopped"; states
echo "-- end"
systemctl poweroff -ff
"""

BOOT = r"""
mount --make-rprivate /
mount -t tmpfs tmpfs work && mkdir work/up work/work || exit 77
mount -t overlay overlay -o lowerdir=/,upperdir=work/up,workdir=work/work root || exit 77
cp -a tree/. root/
cat passwd >>root/etc/passwd; cat group >>root/etc/group
mkdir -p -m 700 root/var/lib/openisw && touch root/var/lib/openisw/islpd.boot root/var/lib/openisw/iisnsd.boot root/var/lib/openisw/iradd.boot
mount -t proc proc root/proc && mount -t sysfs -o ro sysfs root/sys && mount -t tmpfs tmpfs root/run && mount -t tmpfs tmpfs root/tmp || exit 77
mount -t tmpfs -o mode=755 tmpfs root/dev
for d in null zero full random urandom tty fuse; do [ ! -e /dev/$d ] || cp -a /dev/$d root/dev/$d; done
mkdir root/dev/shm root/dev/pts; touch root/dev/console root/probe.out
mount --bind console root/dev/console && mount --bind probe root/probe.out
if grep -q ' /sys/fs/cgroup cgroup2 ' /proc/mounts; then
	mount -t cgroup2 cgroup2 root/sys/fs/cgroup || exit 77
else
	mount -t tmpfs -o mode=755 tmpfs root/sys/fs/cgroup && mkdir root/sys/fs/cgroup/systemd
	mount -t cgroup -o none,name=systemd cgroup root/sys/fs/cgroup/systemd || exit 77
fi
cd root && pivot_root . mnt || exit 77
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . %s --unit=try.target --log-target=console --show-status=0
"""


def lay(top):
    """What is installed, in its places, and the units that start and look."""
    places = {}
    with open(os.path.join(BUILD, "meson-info", "intro-installed.json")) as f:
        for source, place in json.load(f).items():
            if os.path.isfile(source) and "/man/" not in place:
                target = os.path.join(top, "tree") + place
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy2(source, target)
                if "/share/" not in place:  # what goes with a program has its name
                    places[os.path.basename(place)] = place
    if "iscsi_driverd.service" not in places:
        raise tap.Skip("the units are not installed by this build")
    units = os.path.join(top, "tree", "etc", "systemd", "system")
    os.makedirs(units)
    for name, place in places.items():
        if name.endswith((".service", ".target")):
            shutil.copy2(os.path.join(top, "tree") + place, units)
    words = {"sbin": os.path.dirname(places["iswd"]), "bin": os.path.dirname(places["ioscan"]), "units": " ".join(UNITS), "services": " ".join(u + ".service" for u in UNITS),
             "name": NAME}
    write = lambda name, text: open(os.path.join(top, name), "w").write(text)
    write("tree/probe.sh", PROBE % words)
    write("tree/etc/systemd/system/try.target", "[Unit]\nWants=openisw.target probe.service systemd-journald.service\n")
    write("tree/etc/systemd/system/probe.service", "[Unit]\nDefaultDependencies=no\nAfter=openisw.target %s\n[Service]\nType=oneshot\n"
          "StandardOutput=file:/probe.out\nStandardError=file:/probe.out\nExecStart=/bin/sh /probe.sh\n"
          % " ".join(unit + ".service" for unit in UNITS))
    users, groups = wanted()
    write("passwd", "".join("%s:x:%d:%d::/:/usr/sbin/nologin\n" % (n, i, i) for i, n in enumerate(users, FIRST)))
    write("group", "".join("%s:x:%d:\n" % (n, i) for i, n in enumerate(users + groups, FIRST)))
    for name in ("console", "probe"):
        write(name, "")
    write("boot.sh", BOOT % SYSTEMD)
    os.mkdir(os.path.join(top, "work"))
    os.mkdir(os.path.join(top, "root"))


def boot(top):
    """What the probe printed, by section."""
    command = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--cgroup", "sh", "boot.sh"]
    try:
        done = subprocess.run(command, cwd=top, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        code = done.returncode
    except subprocess.TimeoutExpired:
        code = 0
    with open(os.path.join(top, "probe"), errors="replace") as f:
        text = f.read()
    if code == 77 or "-- started" not in text:
        raise tap.Skip("systemd does not boot in a namespace here (%d): %s" % (code, done.stderr.strip()[-200:] if code else "no answer"))
    sections = dict(re.findall(r"^-- (\w+)\n(.*?)(?=^-- |\Z)", text, re.M | re.S))
    with open(os.path.join(top, "console"), errors="replace") as f:
        text += "\n-- console\n" + "".join(f.readlines()[-30:])
    return sections, text


def main():
    with tap.script() as t:
        if not box.isolated() or not os.path.exists(SYSTEMD) or proc.run("tgtd", "--version", ok=None).code != 0:
            raise tap.Skip("root, systemd and tgt are needed")
        top = os.path.join(box.directory(), "units")
        os.mkdir(top)
        lay(top)
        seen, text = boot(top)
        with t.case("all units start, at the first try"):
            for unit in UNITS:
                assert re.search(r"^%s active success 0$" % unit, seen["started"], re.M), text
        with t.case("each daemon is its own user, and nobody else can look into it"):
            users = [line.split() for line in seen["users"].splitlines()]
            assert len(users) == 5 and len({uid for _, _, uid in users}) == 5, users
            assert all(owner == "0" and uid != "0" for _, owner, uid in users), users
        with t.case("a disk is found, and its file is there for programs outside of the unit"):
            assert "VIRTUAL-DISK" in seen["scan"] and seen["written"].startswith("seen-by-everybody"), text
        with t.case("a daemon that was started by hand hands over to its unit"):
            assert seen["byhand"].split("\n")[:4] == [d + " active 0 gone" for d in ("iswd", "islpd", "iisnsd", "iradd")], text
        with t.case("a daemon that is restarted or killed is back"):
            for unit in UNITS[:-1]:
                assert re.search(r"^%s active " % unit, seen["restarted"], re.M), text
            assert seen["restarted"].count(" is running (pid ") == 7, text
        with t.case("a driver that was killed is back, and nothing was unmounted for it"):
            assert seen["killed"] == "active\n", text
        with t.case("iscsi restart replaces everything but what keeps the disks, and who has one open goes on"):
            release = [int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups()]
            if release < [6, 9]:
                raise tap.Skip("this kernel sends nothing again")
            assert "iscsi_driverd has left its disks to the next one" in seen["replaced"], text
            assert seen["replaced"].splitlines()[-4:] == ["another", "by-the-same-opener", "active", "7"], text
        with t.case("the target stops all of them, in order"):
            for unit in UNITS:
                assert re.search(r"^%s inactive success" % unit, seen["stopped"], re.M), text
            assert "end" in seen, text


main()
