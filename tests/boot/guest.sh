# For scripts that run in a small guest (ublk.py), by busybox's shell: each case is a line "CASE name ok", or "CASE name FAILED words".
export TGT_IPC_SOCKET=/tmp/tgt.sock
log=/tmp/driver.log
mkdir -p /tmp/mnt
T="tgtadm -C 1 --lld iscsi"

# say NAME STATUS WORDS...
say() { n=$1 s=$2; shift 2; if [ "$s" = 0 ]; then echo "CASE $n ok $*"; else echo "CASE $n FAILED $*"; fi; }
wait_for() { for _ in $(seq "$1"); do eval "$2" && return 0; sleep 0.2; done; return 1; } # no-sleep-ok: it looks again
target() {
	tgtd -f -C 1 --iscsi portal=127.0.0.1:3260 >/tmp/tgtd.log 2>&1 &
	wait_for 100 "$T --mode sys --op show >/dev/null 2>&1"
	$T --mode target --op new --tid 1 -T iqn.2026-11.org.example:u
	for l in 1 2; do lun $l; done
	$T --mode target --op bind --tid 1 -I ALL
}
lun() { $T --mode logicalunit --op new --tid 1 --lun "$1" -b "/dev/shm/$1"; }
start() {
	iscsi_driverd -f -d note >>$log 2>&1 &
	D=$!
	wait_for 100 "iscsiutil -l >/dev/null 2>&1"
}
killed() { kill -9 "$D"; wait "$D" 2>/dev/null; start; }
# Two units, their target, and the initiator, which gives up early.
begin() {
	truncate -s 128M /dev/shm/1
	truncate -s 64M /dev/shm/2
	target
	iscsi_holderd
	start
	iswd
	for k in CommandTimeout AbortTimeout ResetTimeout; do iscsiutil -t $k 5; done >/dev/null 2>&1
}
