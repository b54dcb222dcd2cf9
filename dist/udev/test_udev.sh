#!/bin/sh
# What udev is told of a disk, whatever the file has that the driver wrote.
# usage: test_udev.sh PATH-OF-openisw-disk RULES
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
export OPENISW_TOLD="$tmp"

# want "PROPERTY PROPERTY..." FILE, whose lines are the standard input
want()
{
	cat >"$tmp/${2##*/}"
	got=$("$openisw_disk" "$2" | tr '\n' ' ')
	if [ "$got" = "$1 " ]; then
		echo "ok: $1"
	else
		echo "FAIL: wanted \"$1 \", got \"$got\""
		failed=1
	fi
}

openisw_disk=$1
echo "# NAA designators, and the first is the best"
want "OPENISW_DISK=c0t0d1 ID_BUS=scsi ID_PATH=ip-10.0.0.1:3260-iscsi-iqn.2026-11.test:a-lun-1 ID_SERIAL=3600140512345 ID_WWN_WITH_EXTENSION=0x600140512345" \
	/run/openisw/disk/0/c0t0d1 <<'EOF'
path=ip-10.0.0.1:3260-iscsi-iqn.2026-11.test:a-lun-1
id=naa.600140512345
id=t10.IET     00010001
EOF
echo "# others; no designator"
want "OPENISW_DISK=c0t0d2 ID_BUS=scsi ID_SERIAL=1IET_____00010001" /run/openisw/disk/0/c0t0d2 <<'EOF'
id=t10.IET     00010001
EOF
want "OPENISW_DISK=c0t0d3 ID_BUS=scsi ID_PATH=ip-fd00::1:3260-iscsi-x-lun-0" /run/openisw/disk/0/c0t0d3 <<'EOF'
path=ip-fd00::1:3260-iscsi-x-lun-0
EOF
echo "# a ublk device, by the file that says which disk it is; somebody else's, and two that say so"
export OPENISW_UBLK="$tmp/ublk"
mkdir -p "$tmp/ublk/0" "$tmp/ublk/7"
echo c0t0d2 >"$tmp/ublk/7/.ublkb3"
want "OPENISW_DISK=c0t0d2 ID_BUS=scsi ID_SERIAL=1IET_____00010001" /dev/ublkb3 </dev/null
nothing() { got=$(timeout 10 "$openisw_disk" "$1") && { echo "FAIL: $1: \"$got\""; failed=1; }; [ -z "$got" ]; }
nothing /dev/ublkb33
echo c0t0d1 >"$tmp/ublk/0/.ublkb3"
nothing /dev/ublkb3
echo "../c0t0d1" >"$tmp/ublk/0/.ublkb4"
nothing /dev/ublkb4
ln -s .ublkb4 "$tmp/ublk/0/.ublkb5"
mkfifo "$tmp/ublk/0/.ublkb6"
nothing /dev/ublkb5
nothing /dev/ublkb6
echo "# what must not become a property, nor a path"
want "OPENISW_DISK=c0t0d4 ID_BUS=scsi" /run/openisw/disk/0/c0t0d4 <<'EOF'
SYSTEMD_WANTS=poweroff.target
path=../../etc
id=name.$(reboot)
path
=
EOF
want "OPENISW_DISK=c0t0d5 ID_BUS=scsi" /run/openisw/disk/0/c0t0d5 <<'EOF'
path=..
id=naa./../x
EOF
echo "# no file, a link, a pipe that nobody writes to; another name"
ln -s c0t0d1 "$tmp/c0t0d6"
mkfifo "$tmp/c0t0d7"
for disk in c0t0d6 c0t0d7 c0t0d8; do
	got=$(timeout 10 "$openisw_disk" "/run/openisw/disk/0/$disk")
	[ "$got" = "OPENISW_DISK=$disk" ] || { echo "FAIL: $disk: \"$got\""; failed=1; }
done
"$openisw_disk" "/run/openisw/disk/0/a b" && { echo "FAIL: a name with a blank"; failed=1; }

echo "# the rule calls it, and runs nothing else"
grep -q "^KERNEL==\"loop\*\", .*, IMPORT{program}=\"/[^ ]*/openisw-disk \$attr{loop/backing_file}\"$" "$2" || { echo "FAIL: the rule"; failed=1; }
grep -q "^KERNEL==\"ublkb\*\", IMPORT{program}=\"/[^ ]*/openisw-disk /dev/\$kernel\"$" "$2" || { echo "FAIL: the rule of ublk"; failed=1; }
[ "$(grep -c -E '(PROGRAM|RUN|IMPORT)' "$2")" -eq 2 ] || { echo "FAIL: the rule runs more"; failed=1; }
exit $failed
