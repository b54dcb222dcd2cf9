# shellcheck shell=sh
# What the tests share: a target on the loopback interface with one disk, and the way to it.  Source this file.
set -eu

work=${AUTOPKGTEST_TMP:-$(mktemp -d)}
port=3299
node=/dev/dsk/c0t0d1
export TGT_IPC_SOCKET="$work/tgt.socket"

fail()
{
	echo "FAIL: $*" >&2
	exit 1
}

# status WANTED COMMAND...
status()
{
	wanted=$1
	shift
	rc=0
	"$@" || rc=$?
	[ $rc -eq "$wanted" ] || fail "$*: exit status $rc, not $wanted"
}

# What a disk as a block device needs of the machine, which no package brings.
need_devices()
{
	for device in /dev/fuse /dev/loop-control; do
		(: <>$device) 2>/dev/null || { echo "skipped: $device cannot be opened here"; exit 77; }
	done
}

clean_up()
{
	rc=$?
	set +e
	umount "$work/mnt" 2>/dev/null
	iscsi stop --force >/dev/null 2>&1
	kill -KILL $tgtd
	exit $rc
}

start_target()
{
	truncate -s 64M "$work/disk.img"
	tgtd -f -C 77 --iscsi "portal=127.0.0.1:$port" >"$work/tgt.log" 2>&1 &
	tgtd=$!
	trap clean_up EXIT
	tries=0
	until tgtadm -C 77 --mode sys --op show >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -le 100 ] || fail "the target does not answer: $(cat "$work/tgt.log")"
		sleep 0.1
	done
	tgtadm -C 77 --lld iscsi --mode target --op new --tid 1 --targetname iqn.2026-11.org.openisw:package
	tgtadm -C 77 --lld iscsi --mode logicalunit --op new --tid 1 --lun 1 --backing-store "$work/disk.img"
	tgtadm -C 77 --lld iscsi --mode target --op bind --tid 1 --initiator-address ALL
}

# From a started initiator to a mounted file system.
first_disk()
{
	iscsiutil -a -I 127.0.0.1 -P $port || [ $? -eq 7 ] # or it is configured already
	status 0 ioscan -H 255
	insf -H 255
	[ -b $node ] || fail "$node is no block device"
	mkfs.ext4 -q $node
	mkdir -p "$work/mnt"
	mount $node "$work/mnt"
}

# The process of a program, as the initiator tells it.
pid_of()
{
	"$1" --status | sed -n 's/.*(pid \([0-9]*\)).*/\1/p'
}
