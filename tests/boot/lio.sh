#!/bin/bash
# The init of a guest (User Mode Linux on this machine's own files, which it only reads): LIO with one unit in two portal groups,
# each a target port group of its own.  Then it does what its console says, a line at a time.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for at in /var /run; do mount -t tmpfs tmpfs $at; done
mount -t tmpfs -o size=90% tmpfs /mnt
mkdir -p /var/target/pr /var/run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
modules=$(sed -n 's/.*modules=\([^ ]*\).*/\1/p' /proc/cmdline)
for name in configfs target_core_mod target_core_file iscsi_target_mod; do
	modprobe -d "$modules" "$name" || echo "no module $name"
done
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
dmesg -n emerg # the console is for answers
ip link set lo up
ip link set vec0 up
for n in 2 3; do ip addr add 10.99.0.$n/24 dev vec0; done
T=/sys/kernel/config/target
D=$T/core/fileio_0/disk
mkdir -p $D
truncate -s 128M /mnt/disk
echo "fd_dev_name=/mnt/disk,fd_dev_size=134217728,fd_buffered_io=1" >$D/control
echo 1 >$D/enable
echo 8c6a7b5e-11d2-4a51-9d4c-0f3b6a9e2c71 >$D/wwn/vpd_unit_serial # without it the unit has no name
# One group is there already, by this name and number 0.
for n in 1 2; do
	mkdir $D/alua/group$n
	echo $n >$D/alua/group$n/tg_pt_gp_id
	echo 3 >$D/alua/group$n/alua_access_type
	P=$T/iscsi/iqn.2026-11.org.example:lio/tpgt_$n
	mkdir -p $P/lun/lun_0 $P/np/10.99.0.$((n + 1)):3260
	ln -s $D $P/lun/lun_0/disk
	echo 0 >$P/attrib/authentication
	echo 1 >$P/attrib/generate_node_acls
	echo 1 >$P/attrib/cache_dynamic_acls
	echo 0 >$P/attrib/demo_mode_write_protect
	echo group$n >$P/lun/lun_0/alua_tg_pt_gp
	echo 1 >$P/enable
done
echo READY
while IFS= read -r line; do
	eval "$line"
	echo "DONE $?"
done
echo o >/proc/sysrq-trigger
