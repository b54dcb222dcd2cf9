# Run in the guest of bench/guest, by busybox's shell: "ROW server case iops cpu_us" for each round, "NONE server why" for one that is not there.
cd /opt || exit 1
for m in ublk_drv nbd; do [ ! -f "/mod/$m.ko" ] || insmod "/mod/$m.ko"; done 2>/dev/null
. ./guest.sh
. ./bench.env

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
# measure SERVER PID DEVICE: each case once.
measure() {
	echo "$CASES" | while read -r name rw bs depth; do
		before=$(ticks "$2")
		fio --name=x --filename="$3" --ioengine=libaio --direct=1 --rw="$rw" --bs="$bs" --iodepth="$depth" --time_based --runtime="$SECS" \
			--size=120m --output-format=terse --terse-version=3 >/tmp/fio.out 2>/dev/null || echo "NONE $1 fio failed: $name"
		after=$(ticks "$2")
		# KiB and I/Os a second, reading and writing.
		awk -F';' -v who="$1" -v name="$name" -v bs="$bs" -v t=$((after - before)) \
			'$1 == 3 { n = ($6 + $47) * 1024 / bs; print "ROW", who, name, $8 + $49, (n > 0 ? t * 10000 / n : 0) }' /tmp/fio.out
	done
}
shown_by() {
	iscsiutil -t Exporter "$1" >/dev/null
	iscsiutil -d -S 0 >/dev/null 2>&1
	ioscan -H 255 >/dev/null 2>&1
}
attached() { wait_for 100 "[ \"\$(cat /sys/block/$1/size)\" != 0 ]"; }

for port in 3260 3261; do ./nulltgt -p $port -c 0 >/dev/null 2>&1 & done
iscsi_holderd
start
iswd
echo '{"op":"target.add","args":{"name":"'"$IQN"'","address":"127.0.0.1","port":3260}}' >/tmp/target
iscsiutil --apply /tmp/target
wait_for 100 "ioscan -H 255 2>&1 | grep -q disk" || echo "NONE any $(ioscan -H 255 2>&1)"
for round in $(seq "$ROUNDS"); do
	shown_by ublk
	insf -H 255 >/tmp/insf.out 2>&1
	if wait_for 50 "[ -b \"\$(readlink /dev/dsk/c0t0d0)\" ]"; then
		measure ublk "$D" "$(readlink /dev/dsk/c0t0d0)"
	else
		echo "NONE ublk $(cat /tmp/insf.out)"
	fi
	rmsf -H 255/0/0.0.0.0 >/dev/null 2>&1
	shown_by nbd
	insf -H 255 >/tmp/insf.out 2>&1
	if wait_for 50 "[ -S /dev/nbd/c0t0d0 ]" && nbd-client -unix /dev/nbd/c0t0d0 /dev/nbd0 >/dev/null 2>&1 && attached nbd0; then
		measure nbd "$D" /dev/nbd0
		nbd-client -d /dev/nbd0 >/dev/null 2>&1
		wait_for 50 "[ ! -e /sys/block/nbd0/pid ]"
	else
		echo "NONE nbd $(cat /tmp/insf.out)"
	fi
	rmsf -H 255/0/0.0.0.0 >/dev/null 2>&1
	if [ -x /usr/sbin/qemu-storage-daemon ]; then
		qemu-storage-daemon --blockdev "driver=iscsi,transport=tcp,portal=127.0.0.1:3261,target=$IQN,lun=0,node-name=d,cache.direct=on" \
			--nbd-server addr.type=unix,addr.path=/tmp/q.sock --export type=nbd,id=d,node-name=d,name=d,writable=on >/tmp/q.log 2>&1 &
		Q=$!
		if wait_for 300 "[ -S /tmp/q.sock ]" && nbd-client -unix /tmp/q.sock /dev/nbd1 -N d >>/tmp/q.log 2>&1 && attached nbd1; then
			measure qemu "$Q" /dev/nbd1
			nbd-client -d /dev/nbd1 >/dev/null 2>&1
			wait_for 50 "[ ! -e /sys/block/nbd1/pid ]"
		else
			echo "NONE qemu $(tail -n 3 /tmp/q.log)"
		fi
		kill $Q
		wait $Q 2>/dev/null
		rm -f /tmp/q.sock
	fi
	echo "ROUND $round"
done
