# Run in the guest of ublk.py, by busybox's shell: the kernel's nbd is a client of disks that are sockets.
cd /opt || exit 1
for m in crc32c_generic libcrc32c crc16 mbcache jbd2 ext4 nbd failover net_failover virtio_net; do [ ! -f "/mod/$m.ko" ] || insmod "/mod/$m.ko"; done 2>/dev/null
. ./guest.sh

# attach LUN NUMBER WORDS...
attach() { l=$1 n=$2; shift 2; timeout 60 nbd-client -unix "/dev/nbd/c0t0d$l" "/dev/nbd$n" "$@" >>/tmp/nbd.log 2>&1 && wait_for 50 "[ \"\$(size $n)\" != 0 ]"; }
detach() { nbd-client -d "/dev/nbd$1" >>/tmp/nbd.log 2>&1 && wait_for 50 "[ ! -e /sys/block/nbd$1/pid ]"; }
size() { cat "/sys/block/nbd$1/size"; }
dropped() { sync && echo 3 >/proc/sys/vm/drop_caches; }
# What the filter "stats" has counted since it was set.
counted() { iscsiutil -s -S 2>/dev/null | sed -n '/ stats /,$p'; }
# What the target has is what the kernel reads.
same() { sync && cmp "/dev/shm/$1" "/dev/nbd$2"; }

begin
iscsiutil -t Exporter nbd >/dev/null
iscsiutil -a -I 127.0.0.1 && ioscan -H 255 >/dev/null 2>&1
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
wait_for 100 "iscsiutil -a -I 10.0.2.2 -P $(sed 's/.*target=//' /proc/cmdline)" >/dev/null 2>&1
ioscan -H 255 >/dev/null 2>&1
told=$(insf -H 255 2>&1)

attach 1 0 && [ "$(size 0)" = 262144 ] && [ "$(cat /sys/block/nbd0/queue/write_cache)" = "write back" ] &&
	[ "$(cat /sys/block/nbd0/ro)" = 0 ]
say attached $? "$told $(ls -l /dev/nbd /dev/nbd0) $(cat /tmp/nbd.log) fua $(cat /sys/block/nbd0/queue/fua)"

told=$(rmsf -H 255/0/0.0.0.1 2>&1)
s=$?
[ $s = 8 ] && echo "$told" | grep -q 'in use: c0t0d1 (process [0-9]*): block device /dev/nbd0' && [ -S /dev/nbd/c0t0d1 ]
say is_in_use $? "$s $told"

iscsiutil -t Filters stats >/dev/null
wait_for 50 "counted | grep -q stats"
dd if=/dev/urandom of=/tmp/f bs=1M count=20 2>/dev/null
mkfs.ext4 -Fq /dev/nbd0 && mount -t ext4 /dev/nbd0 /mnt && dd if=/tmp/f of=/mnt/f bs=64k conv=fsync 2>/dev/null && umount /mnt &&
	e2fsck -fn /dev/nbd0 >/dev/null 2>&1 && dropped && mount -t ext4 /dev/nbd0 /mnt && cmp /tmp/f /mnt/f && umount /mnt
say nbd_ext4 $? "$(dmesg | tail -3)"
same 1 0 && e2fsck -fn /dev/shm/1 >/dev/null 2>&1
say target_has_it $? "$(cmp /dev/shm/1 /dev/nbd0)"
told=$(counted)
iscsiutil -t Filters default >/dev/null
echo "$told" | grep -q ' flush  *[1-9]'
say flushes $? "$told"

# A unit of another target, which takes UNMAP: tgt does, and answers that it has failed.
S=$(cd /dev/nbd && echo c*t*d0)
nbd-client -unix "/dev/nbd/$S" /dev/nbd2 >>/tmp/nbd.log 2>&1 && wait_for 50 "[ \"\$(size 2)\" = 131072 ]"
yes openisw | dd of=/tmp/y bs=1M count=20 iflag=fullblock 2>/dev/null
dd if=/tmp/y of=/dev/nbd2 bs=1M conv=fsync 2>/dev/null
/usr/sbin/blkdiscard -o 1048576 -l 8388608 /dev/nbd2
s=$?
dropped
dd if=/tmp/y of=/tmp/z bs=1M count=1 2>/dev/null && dd if=/dev/zero bs=1M count=8 2>/dev/null >>/tmp/z && dd if=/tmp/y bs=1M skip=9 2>/dev/null >>/tmp/z
[ $s = 0 ] && [ "$(dd if=/dev/nbd2 bs=1M count=20 2>/dev/null | md5sum)" = "$(md5sum </tmp/z)" ]
say trim $? "$S $s $(ls -l /dev/nbd)"
detach 2
attach 2 1
dd if=/tmp/f of=/dev/nbd1 bs=1M conv=fsync 2>/dev/null
/usr/sbin/blkdiscard -z -o 10485760 -l 1048576 /dev/nbd1
s=$?
dropped
[ $s = 0 ] && [ "$(dd if=/dev/nbd1 bs=1M skip=10 count=1 2>/dev/null | tr -d '\0' | wc -c)" = 0 ] && same 2 1
say nbd_zeros $? "$s"
detach 1

./verify /dev/nbd0 4 >/tmp/verify.log 2>&1
s=$?
same 1 0 && [ $s = 0 ]
say verified $? "$(cat /tmp/verify.log)"
detach 0
attach 1 0 -C 4
F=0
if [ -x /usr/bin/fio ]; then
	fio --name=v --filename=/dev/nbd0 --rw=randwrite --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --verify=crc32c --verify_backlog=256 \
		--fsync=64 --time_based --runtime=5 --size=48m --randrepeat=0 >/tmp/fio.log 2>&1
	F=$?
fi
./verify /dev/nbd0 4 >/tmp/verify.log 2>&1
s=$?
same 1 0 && [ $s = 0 ] && [ $F = 0 ]
say four_connections $? "$(cat /tmp/verify.log) fio $F $(grep 'err=' /tmp/fio.log)"
detach 0

attach 1 0
mkfs.ext4 -Fq /dev/nbd0 && mount -t ext4 /dev/nbd0 /mnt && cp /tmp/f /mnt/f && sync
told=$(iscsi_driverd --unmount --within 3 2>&1)
s=$?
[ $s = 8 ] && echo "$told" | grep -q 'c0t0d1 .*block device /dev/nbd0, mounted at /mnt' && grep -q '^/dev/nbd0 /mnt' /proc/mounts && dd if=/tmp/f of=/mnt/g bs=64k conv=fsync 2>/dev/null && cmp /tmp/f /mnt/g
say unmount_leaves_it $? "$s $told"

$T --mode logicalunit --op delete --tid 1 --lun 1
truncate -s 160M /dev/shm/1
lun 1
ioscan -H 255 >/dev/null 2>&1
[ "$(size 0)" = 262144 ] && dd if=/tmp/f of=/mnt/h bs=64k conv=fsync 2>/dev/null && cmp /tmp/f /mnt/h && umount /mnt && e2fsck -fn /dev/nbd0 >/dev/null 2>&1
s=$?
detach 0
attach 1 0
[ $s = 0 ] && [ "$(size 0)" = 327680 ] && e2fsck -fn /dev/nbd0 >/dev/null 2>&1
say grown $? "$s, $(size 0)"

mount -t ext4 /dev/nbd0 /mnt && dd if=/tmp/f of=/mnt/i bs=64k conv=fsync 2>/dev/null
s=$?
attach 2 1
dd if=/dev/zero of=/dev/nbd1 bs=64k oflag=direct 2>/dev/null &
L=$!
wait_for 100 "[ \"\$(awk '{ print \$5 }' /sys/block/nbd1/stat)\" -gt 50 ]"
killed
# What was under way waits until the device is told that nobody will answer.
for n in 0 1; do nbd-client -d /dev/nbd$n; done >>/tmp/nbd.log 2>&1
wait $L
l=$?
dd if=/dev/nbd0 of=/dev/null bs=4k count=1 iflag=direct 2>/tmp/dd.log
r=$?
dd if=/tmp/f of=/mnt/j bs=64k conv=fsync 2>>/tmp/dd.log
w=$?
umount /mnt
wait_for 50 "[ ! -e /sys/block/nbd0/pid ] && [ ! -e /sys/block/nbd1/pid ]"
g=$?
[ $s = 0 ] && [ $l != 0 ] && [ $r != 0 ] && [ $w != 0 ] && [ $g = 0 ] && attach 1 0 &&
	mount -t ext4 /dev/nbd0 /mnt && cmp /tmp/f /mnt/i && umount /mnt && e2fsck -fn /dev/nbd0 >/dev/null 2>&1
say driver_killed $? "before $s, under way $l, read $r, write $w, gone $g $(cat /tmp/dd.log) $(dmesg | grep -i nbd | tail -5)"

detach 0
wait_for 50 "iscsi_driverd --unmount --within 3" && iscsi_driverd --stop
s=$?
[ $s = 0 ] && [ -z "$(ls /dev/nbd)" ]
say stopped $? "$s $(ls /dev/nbd)"
dmesg | grep -q 'hung task\|BUG:\|Oops'
[ $? = 1 ]
say the_kernel_is_well $? "$(dmesg | grep 'hung task\|BUG:\|Oops' | head -3)"
echo "LOG"
tail -n 40 /tmp/driver.log /tmp/nbd.log
