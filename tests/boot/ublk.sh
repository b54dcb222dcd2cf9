# Run in the guest of ublk.py, by busybox's shell.
cd /opt || exit 1
rm -f /dev/fuse
for m in tls ublk_drv crc32c_generic libcrc32c crc16 mbcache jbd2 ext4; do [ ! -f "/mod/$m.ko" ] || insmod "/mod/$m.ko"; done 2>/dev/null
. ./guest.sh

begin
iscsiutil -t ReplacementTimeout 20 >/dev/null 2>&1
iscsiutil -a -I 127.0.0.1 && ioscan -H 255 >/dev/null 2>&1
told=$(insf -H 255 2>&1)
A=$(readlink /dev/dsk/c0t0d1) B=$(readlink /dev/dsk/c0t0d2)
grep -q 'disks are ublk devices: there is no /dev/fuse' $log
say auto $? "$told"
echo "$told" | grep -q 'disks are ublk devices here: there is no /dev/fuse' && [ -b "$A" ] && [ -b "$B" ] &&
	[ "$(readlink /dev/rdsk/c0t0d1)" = "$A" ] && [ "$(cat "/sys/block/${A#/dev/}/size")" = 262144 ] &&
	[ "$(cat "/sys/block/${A#/dev/}/queue/write_cache")" = "write back" ]
say made $? "$(ls -l /dev/dsk /dev/ublk*)"

# As the rule has udev run it.
told=$(sh ./openisw-disk "$A")
echo "$told" | grep -q '^OPENISW_DISK=c0t0d1$' && echo "$told" | grep -q '^ID_PATH=ip-127.0.0.1:3260-iscsi-iqn.2026-11.org.example:u-lun-1$' &&
	echo "$told" | grep -q '^ID_SERIAL=.' && [ "$(sh ./openisw-disk "$B" | head -1)" = OPENISW_DISK=c0t0d2 ] && ! sh ./openisw-disk /dev/ublkb77
say udev $? "$(echo $told)"

mkfs.ext4 -Fq "$A" && mount -t ext4 "$A" /mnt && dd if=/dev/urandom of=/tmp/f bs=1M count=20 2>/dev/null && cp /tmp/f /mnt/f && umount /mnt &&
	e2fsck -fn "$A" >/dev/null 2>&1 && mount -t ext4 "$A" /mnt && cmp /tmp/f /mnt/f
say ext4 $? "$(dmesg | tail -3)"
told=$(rmsf -H 255/0/0.0.0.1 2>&1)
s=$?
[ $s = 8 ] && echo "$told" | grep -q "c0t0d1 ($A): mounted at /mnt"
say mounted_is_in_use $? "$s $told"
umount /mnt
sleep 30 <"$B" & # no-sleep-ok: somebody who has it open
P=$!
told=$(rmsf -H 255/0/0.0.0.2 2>&1)
s=$?
[ $s = 8 ] && echo "$told" | grep -q "c0t0d2 ($B): process\|($B): open in"
s=$?
[ $s = 0 ] || echo "$told" | grep -q "c0t0d2"
say open_is_in_use $? "$told"
kill $P

dd if=/dev/urandom of="$B" bs=1M count=4 2>/dev/null
sync
/usr/sbin/blkdiscard -z -o 1048576 -l 1048576 "$B"
s=$?
[ $s = 0 ] && [ "$(dd if="$B" iflag=direct bs=1M skip=1 count=1 2>/dev/null | tr -d '\0' | wc -c)" = 0 ]
say zeros $? "$s"

iscsiutil -t Filters lun=2 readonly >/dev/null
wait_for 50 "[ \"\$(cat /sys/block/${B#/dev/}/ro)\" = 1 ]" || echo "the device stays writable on this kernel"
dd if=/dev/zero of="$B" bs=4k count=1 oflag=direct 2>/dev/null
s=$?
dd if="$B" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null
r=$?
iscsiutil -t Filters lun=2 error=read stats >/dev/null
wait_for 50 "iscsiutil -s -S | grep -q 'error=read:EIO'"
dd if="$B" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null
e=$?
iscsiutil -t Filters default >/dev/null
wait_for 50 "[ \"\$(cat /sys/block/${B#/dev/}/ro)\" = 0 ] && dd if=$B of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null"
n=$?
[ $s != 0 ] && [ $r = 0 ] && [ $e != 0 ] && [ $n = 0 ]
say filters $? "write $s, read $r, error $e, none $n"

./verify "$A" 32 >/tmp/verify.log 2>&1 &
V=$!
F=
if [ -x /usr/bin/fio ]; then
	fio --name=v --filename="$B" --rw=randwrite --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --verify=crc32c --verify_backlog=256 \
		--time_based --runtime=28 --size=48m --randrepeat=0 >/tmp/fio.log 2>&1 &
	F=$!
fi
for _ in 1 2 3; do
	sleep 6 # no-sleep-ok: so much load
	killed
	sleep 2 # no-sleep-ok: likewise
done
wait $V
say kill_under_load $? "$(cat /tmp/verify.log) $(grep -c 'goes on$' $log) devices went on"
if [ -n "$F" ]; then
	wait $F
	say fio_verify $? "$(grep 'err=' /tmp/fio.log)"
fi

mkfs.ext4 -Fq "$A" && mount -t ext4 "$A" /mnt
cp /tmp/f /mnt/g &
C=$!
sleep 0.3 # no-sleep-ok: in the middle of it
killed
wait $C
s=$?
sync
echo 3 >/proc/sys/vm/drop_caches
[ $s = 0 ] && cmp /tmp/f /mnt/g && umount /mnt && e2fsck -fn "$A" >/dev/null 2>&1
say mounted_across_a_kill $? "$s"

./verify "$A" 8 >/tmp/verify.log 2>&1 &
V=$!
sleep 2 # no-sleep-ok: so much load
iscsi_driverd --hand-over
s=$?
wait "$D"
start
wait $V && [ $s = 0 ]
say handed_over $? "$s $(cat /tmp/verify.log)"

$T --mode logicalunit --op delete --tid 1 --lun 1
truncate -s 160M /dev/shm/1
lun 1
ioscan -H 255 >/dev/null 2>&1
if wait_for 50 "[ \"\$(cat /sys/block/${A#/dev/}/size)\" = 327680 ]"; then
	say resize 0 "it has its new size"
else
	grep -q 'this kernel cannot change the size of .* while it is there' $log
	say resize $? "it is said that this kernel cannot"
fi

n=0
began=$(cut -d. -f1 /proc/uptime)
while [ $n -lt "${CYCLES:-1000}" ]; do
	rmsf -H 255/0/0.0.0.2 >/dev/null 2>&1 && insf -H 255/0/0.0.0.2 >/dev/null 2>&1 || break
	n=$((n + 1))
done
[ $n = "${CYCLES:-1000}" ] && [ "$(ls /dev | grep -c ublkb)" = 2 ] && dd if=/dev/dsk/c0t0d2 of=/dev/null bs=1M count=4 2>/dev/null
say add_and_remove $? "$n times, $(($(cut -d. -f1 /proc/uptime) - began)) s, $(ls /dev/ublk*)"

kill -9 "$D"
wait "$D" 2>/dev/null
killall -9 tgtd
A=$(readlink /dev/dsk/c0t0d1)
dd if=/dev/zero of="$A" bs=4k count=1 oflag=direct >/dev/null 2>&1 &
W=$!
start
wait_for 300 "[ ! -e $A ]"
s=$?
wait $W
w=$?
[ $s = 0 ] && [ $w != 0 ] && grep -q 'c0t0d1 did not come back in time: its ublk device is deleted' $log
say overdue $? "gone $s, dd $w"
target
wait_for 150 "[ -b \"\$(readlink /dev/dsk/c0t0d1)\" ]"
say back_again $? "$(ls -l /dev/dsk)"

A=$(readlink /dev/dsk/c0t0d1)
$T --mode portal --op new --param portal=127.0.0.2:3260
iscsiutil -a -I 127.0.0.2
ioscan -H 255 >/dev/null 2>&1
wait_for 100 "[ \"\$(iscsiutil -m | grep -c '127.0.0.[12]:3260')\" = 4 ]"
p=$?
paths=$(iscsiutil -m)
n=$(ls /dev | grep -c ublkb)
./verify "$A" 12 >/tmp/verify.log 2>&1 &
V=$!
for s in 0 1; do
	sleep 3 # no-sleep-ok: so much load
	iscsiutil -m -S $s fail >/dev/null 2>&1
	sleep 3 # no-sleep-ok: likewise
	iscsiutil -m -S $s restore >/dev/null 2>&1
done
wait $V
s=$?
[ $s = 0 ] && [ $p = 0 ] && [ "$n" = 2 ] && [ "$(ls /dev | grep -c ublkb)" = 2 ] && [ "$(readlink /dev/dsk/c0t0d1)" = "$A" ]
say two_paths $? "$s, $n devices, $(cat /tmp/verify.log) $paths"

iscsi_driverd --stop
s=$?
[ $s = 0 ] && [ "$(ls /dev | grep -c 'ublk[bc]')" = 0 ] && [ -z "$(ls /run/openisw/ublk)" ]
say nothing_is_left $? "$s $(ls /dev/ublk* /run/openisw/ublk)"
dmesg | grep -q 'hung task\|BUG:\|Oops'
[ $? = 1 ]
say the_kernel_is_well $? "$(dmesg | grep 'hung task\|BUG:\|Oops' | head -3)"
echo "LOG"
tail -n 40 $log
