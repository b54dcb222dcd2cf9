"""A whole system that boots, mounts from our disks by each kind of name, writes until the last moment, and goes down: ./check --vm.

The guest is a Debian under QEMU with the package of this checkout (OPENISW_PACKAGES: a directory with what was built before).
What the target's files hold afterwards is looked at from outside."""
import os
import re
import shutil
import subprocess
import time

import box
import proc
import tap
from guest import HOST, Built, Guest, Network
from tgt import Tgt

MIB = 1 << 20
NAME = "iqn.2026-11.org.example:boot"
BY_PATH = "/dev/disk/by-path/ip-%s:3260-iscsi-%s-lun-%%d" % (HOST, NAME)
# LUN: how fstab names its file system
NAMED = {1: "dsk", 2: "label", 3: "uuid", 4: "path", 5: "id"}
HAND, UNIT, LVM = 6, 7, 8
LVM_DISK = "c0t1d0"  # LUN 8
WRITTEN = ["dsk", "hand", "unit"]
# The network is wanted: the packages of the guest.
box.NAMESPACES = [word for word in box.NAMESPACES if word != "--net"]

WRITER = r"""#!/bin/bash
# Writes records that it never syncs into a file that it has open; asked to end it takes its time, writes a copy and a last record,
# and notes what was taken.
dir=$1 note=/opt/ended.$2 n=0 ending=
rm -f "$note"
trap 'ending=1' TERM
exec 3>>"$dir/log"
while [ -z "$ending" ]; do
	n=$((n + 1))
	printf 'record %08d\n' $n >&3 || { echo "record $n FAILED" >"$note"; exit 1; }
	sleep 0.05 & wait $! # no-sleep-ok: a pace
done
sleep 3 # no-sleep-ok: slow to end
dd if=/dev/urandom of="$dir/copy" bs=64k count=64 status=none || { echo "copy FAILED" >"$note"; exit 1; }
sum=$(md5sum <"$dir/copy")
printf 'the last one\n' >&3 || { echo "last FAILED" >"$note"; exit 1; }
echo "$n ${sum%% *}" >"$note"
"""
WRITER_UNIT = """[Service]
ExecStart=/bin/bash /opt/writer.sh /mnt/%i %i
KillMode=process
"""
MOUNTS_ITSELF = """[Unit]
After=openisw-scan.service
Wants=openisw-scan.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount /dev/dsk/c0t0d%d /mnt/unit
""" % UNIT


class Target(Tgt):
    """On the machine's side of the guest's cable."""

    def __init__(self, network):
        super().__init__()
        self.portals = [(HOST, 3260)]
        self.daemon = proc.Daemon(*network.inside("tgtd", "-f", "-C", str(self.control), "--iscsi", "portal=%s:3260" % HOST),
                                  log=self.log, env=self.env, ignores_term=True)
        self.files = {}

    def start(self):
        self.daemon.start()
        proc.wait_for("tgtd to answer", lambda: proc.run(
            "tgtadm", "-C", self.control, "--mode", "sys", "--op", "show", env=self.env, ok=None).code == 0)
        self.names = []
        tid = self.target("boot")
        for lun in list(NAMED) + [HAND, UNIT, LVM]:
            self.files[lun] = self.lun(tid, lun, size=64 * MIB)
        return self

    def clean(self, lun):
        """fsck finds nothing in it, and no journal to replay."""
        state = proc.run("dumpe2fs", "-h", self.files[lun]).out
        assert "needs_recovery" not in state and "state:         clean" in state, (lun, state)
        proc.run("fsck.ext4", "-fn", self.files[lun], limit=120)

    def read(self, lun, name):
        return subprocess.run(["debugfs", "-R", "cat /" + name, self.files[lun]], capture_output=True, check=True).stdout


def write(guest, path, text):
    guest.sh("cat >%s <<'END'\n%s\nEND" % (path, text.rstrip("\n")))


def fstab(guest):
    ids = guest.sh("udevadm info -q symlink /dev/dsk/c0t0d5")[0].split()
    by_id = [i for i in ids if i.startswith("disk/by-id/scsi-")]
    assert len(by_id) == 1, ids
    uuid = guest.sh("blkid -s UUID -o value /dev/dsk/c0t0d3")[0].strip()
    what = {1: "/dev/dsk/c0t0d1", 2: "LABEL=two", 3: "UUID=" + uuid, 4: BY_PATH % 4, 5: "/dev/" + by_id[0]}
    lines = ["%s /mnt/%s ext4 _netdev 0 2" % (what[lun], NAMED[lun]) for lun in NAMED]
    lines.append("/dev/dsk/c9t9d9 /mnt/none ext4 _netdev,nofail,x-systemd.device-timeout=5s 0 2")
    write(guest, "/opt/fstab", "\n".join(lines))
    guest.sh("cat /opt/fstab >>/etc/fstab; mkdir -p /mnt/none /mnt/hand /mnt/unit /mnt/lvm %s" % " ".join("/mnt/" + n for n in NAMED.values()))


def mounted(guest):
    return set(re.findall(r" /mnt/(\w+) ", guest.sh("cat /proc/mounts")[0]))


def write_on(guest):
    """By hand, and writers that go on until the end of the system."""
    guest.sh("mountpoint -q /mnt/hand || mount /dev/dsk/c0t0d%d /mnt/hand" % HAND)
    for name in WRITTEN:
        guest.sh("rm -f /mnt/%s/*; systemctl start writer@%s" % (name, name))
    for name in WRITTEN:
        proc.wait_for("records", lambda name=name: guest.sh("[ -s /mnt/%s/log ]" % name, ok=None)[1] == 0, 60, every=0.5)


def ended(image, name):
    """What the writer noted on the guest's own disk: how many records were taken, and the sum of its copy."""
    done = subprocess.run(["debugfs", "-R", "cat /opt/ended." + name, image], capture_output=True, text=True)
    found = re.fullmatch(r"(\d+) ([0-9a-f]{32})\n", done.stdout)
    assert found, "the writer on %s noted: %s" % (name, done.stdout or done.stderr)
    return int(found.group(1)), found.group(2)


def all_there(t, guest, target, what):
    with t.case("%s: all that was acknowledged is there, and every file system is clean" % what, limit=300):
        luns = {"dsk": 1, "hand": HAND, "unit": UNIT}
        for name in WRITTEN:
            n, md5 = ended(guest.path("disk.img"), name)
            want = b"".join(b"record %08d\n" % i for i in range(1, n + 1)) + b"the last one\n"
            log = target.read(luns[name], "log")
            assert log == want, (name, n, len(log), len(want), log[-40:])
            assert proc_md5(target.read(luns[name], "copy")) == md5, name
        for lun in list(NAMED) + [HAND, UNIT]:
            target.clean(lun)


def proc_md5(data):
    return subprocess.run(["md5sum"], input=data, capture_output=True, check=True).stdout.decode().split()[0]


def journal(guest, words=""):
    return guest.sh("journalctl -b --no-pager -o short-monotonic %s | tail -n 200" % words, limit=60)[0]


def first_boot(t, guest, target):
    with t.case("the package's units start at boot, and a scan finds the disks", limit=900):
        guest.start()
        t.comment("booted after %.0f s" % guest.booted())
        assert guest.sh("systemctl is-active openisw.target iscsi_driverd openisw-unmount")[0].split() == ["active"] * 3
        guest.sh("iscsiutil -a -I %s && ioscan -H 255 && insf -H 255" % HOST, limit=200)
    with t.case("each disk has udev's links: its device file's, by-path, by-id; and a device unit", limit=300):
        guest.sh("udevadm settle", limit=100)
        links = guest.sh("udevadm info -q symlink /dev/dsk/c0t0d4")[0].split()
        t.comment(" ".join(links))
        assert "dsk/c0t0d4" in links and (BY_PATH % 4)[len("/dev/"):] in links, links
        assert any(l.startswith("disk/by-id/scsi-") for l in links), links
        assert guest.sh("systemctl is-active dev-dsk-c0t0d4.device")[0].strip() == "active"
    with t.case("they are mounted by device file, LABEL, UUID, by-path and by-id", limit=400):
        for lun in list(NAMED) + [HAND, UNIT]:
            guest.sh("mkfs.ext4 -q %s /dev/dsk/c0t0d%d" % ("-L two" if lun == 2 else "", lun), limit=100)
        guest.sh("udevadm settle", limit=100)
        fstab(guest)
        write(guest, "/opt/writer.sh", WRITER)
        write(guest, "/etc/systemd/system/writer@.service", WRITER_UNIT)
        write(guest, "/etc/systemd/system/mounts-itself.service", MOUNTS_ITSELF + "[Install]\nWantedBy=multi-user.target\n")
        guest.sh("systemctl daemon-reload; systemctl enable mounts-itself; systemctl start remote-fs.target mounts-itself", limit=200)
        assert set(NAMED.values()) | {"unit"} <= mounted(guest), mounted(guest)
    with t.case("a disk that is removed takes its device unit along, and has it again", limit=200):
        guest.sh("rmsf -H 255/0/0.0.1.0 && udevadm settle", limit=100)
        gone = guest.sh("ls /dev/dsk; systemctl is-active dev-dsk-%s.device" % LVM_DISK, ok=None)[0].split()
        assert LVM_DISK not in gone and gone[-1] == "inactive", gone
        guest.sh("insf -H 255 && udevadm settle", limit=100)
        assert guest.sh("systemctl is-active dev-dsk-%s.device" % LVM_DISK)[0].strip() == "active"
    with t.case("poweroff while services write: by fstab, by hand, by a unit of its own", limit=700):
        write_on(guest)
        t.comment("off after %.0f s" % guest.power_off())
    all_there(t, guest, target, "after poweroff")


def second_boot(t, guest, target):
    with t.case("at boot all of them are mounted, without a wait, whatever their name; nofail holds nobody up", limit=900):
        guest.start()
        t.comment("booted after %.0f s" % guest.booted())
        assert set(NAMED.values()) | {"unit"} <= mounted(guest), (mounted(guest), journal(guest, "-p warning"))
        late = [line for line in journal(guest).splitlines() if "Timed out waiting for device" in line and "c9t9d9" not in line]
        assert not late, late
        assert guest.sh("systemctl is-active remote-fs.target")[0].strip() == "active"
        t.comment(guest.sh("systemctl show -p ActiveEnterTimestampMonotonic remote-fs.target openisw-scan.service", limit=30)[0])
    with t.case("swap on a disk is named, and left alone", limit=200):
        out, code = guest.sh("mkswap /dev/dsk/%s && swapon /dev/dsk/%s && iscsi unmount --within 30" % (LVM_DISK, LVM_DISK), limit=100, ok=None)
        assert code == 8 and re.search(r"%s is in use: /dev/loop\d+ is swap" % LVM_DISK, out), (code, out)
        guest.sh("swapoff -a && wipefs -q -a /dev/dsk/%s && mount -a" % LVM_DISK, limit=60)
    with t.case("md on a disk is named, and left alone", limit=200):
        guest.sh("mdadm --create /dev/md9 --run --force --metadata=1.2 --level=1 --raid-devices=1 /dev/dsk/%s" % LVM_DISK, limit=100)
        out, code = guest.sh("iscsi unmount --within 30", limit=100, ok=None)
        assert code == 8 and "%s is in use: device md9 stands on it" % LVM_DISK in out, (code, out)
        guest.sh("mdadm --stop /dev/md9 && wipefs -q -a /dev/dsk/%s && mount -a" % LVM_DISK, limit=60)
    with t.case("LVM on a disk: its file system is unmounted, and it is said what stands on it", limit=400):
        disk = "/dev/dsk/" + LVM_DISK
        guest.sh("vgcreate -y vg $(readlink -f %s) && lvcreate -y -n lv -l 100%%FREE vg && mkfs.ext4 -q /dev/vg/lv && mount /dev/vg/lv /mnt/lvm" % disk, limit=200)
        guest.sh("echo kept >/mnt/lvm/file")
        out, code = guest.sh("iscsi unmount --within 30", limit=100, ok=None)
        t.comment(out)
        assert code == 8 and "%s is in use: device dm-0 (vg-lv) stands on it" % LVM_DISK in out, (code, out)
        assert "lvm" not in mounted(guest)
        # What has no end of its own is not waited for when the system goes down.
        begin = time.monotonic()
        assert guest.sh("iscsi_driverd --unmount --grace 100 --within 300", limit=100, ok=None)[1] == 8 and time.monotonic() - begin < 60
        guest.sh("vgchange -an vg && systemctl start remote-fs.target mounts-itself && mount -a && systemctl restart mounts-itself", limit=200)
    with t.case("a driver that is killed is back, and what was mounted goes on", limit=300):
        guest.sh("mountpoint -q /mnt/hand || mount /dev/dsk/c0t0d%d /mnt/hand" % HAND)
        guest.sh("echo before >/mnt/hand/killed && sync", limit=60)
        was = guest.sh("systemctl show -P MainPID iscsi_driverd")[0].strip()
        guest.sh("systemctl kill -s KILL iscsi_driverd")
        proc.wait_for("another driver", lambda: guest.sh("systemctl show -P MainPID iscsi_driverd; iscsiutil -l >/dev/null", ok=None)[0].strip()
                      not in (was, "0", ""), 60, every=0.5)
        guest.sh("echo after >>/mnt/hand/killed && sync -d /mnt/hand/killed && echo 3 >/proc/sys/vm/drop_caches", limit=60)
        assert guest.sh("cat /mnt/hand/killed", limit=60)[0].split() == ["before", "after"]
    with t.case("reboot while services write", limit=700):
        guest.sh("[ -e /mnt/unit/lost+found ] || mount /dev/dsk/c0t0d%d /mnt/unit" % UNIT)
        write_on(guest)
        t.comment("down after %.0f s" % guest.power_off(verb="reboot"))
    all_there(t, guest, target, "after the reboot")


def dead_target(t, guest, target):
    with t.case("it boots while the target is down, and what fstab wants comes when the target does", limit=1200):
        target.stop()
        guest.start()
        t.comment("booted after %.0f s" % guest.booted(900))
        assert not mounted(guest) & set(NAMED.values())
        target.start()
        proc.wait_for("the session to come by itself", lambda: guest.sh("[ -e /dev/dsk/c0t0d1 ]", ok=None)[1] == 0, 120, every=1)
        guest.sh("systemctl start mnt-dsk.mount mnt-path.mount", limit=100)
        assert {"dsk", "path"} <= mounted(guest)
    with t.case("poweroff ends although the target is dead and data is not written, and says what is lost", limit=900):
        guest.sh("iscsiutil -t ReplacementTimeout 20", limit=60)
        guest.sh("dd if=/dev/zero of=/mnt/dsk/lost bs=64k count=64 status=none")
        target.stop()
        seconds = guest.power_off(800)
        t.comment("off after %.0f s" % seconds)
        assert seconds < 420, seconds


def main():
    with tap.script() as t:
        missing = [tool for tool in ("qemu-system-x86_64", "debootstrap", "tgtd", "dpkg-buildpackage") if not shutil.which(tool)]
        if missing or not box.isolated() or not os.path.exists("/dev/net/tun"):
            raise tap.Skip("root and %s are needed" % ", ".join(missing or ["namespaces and /dev/net/tun"]))
        network = Network()
        guest = Guest(network)
        t.show_on_failure(guest)
        with t.case("a Debian with the package of this checkout", limit=3000):
            guest.make(Built("--no-check").file("openisw_*.deb"))
        if not os.path.exists(guest.path("disk.img")):
            return
        try:
            with Target(network) as target:
                first_boot(t, guest, target)
                second_boot(t, guest, target)
                dead_target(t, guest, target)
        finally:
            guest.kill()
            network.stop()


main()
