#!/bin/bash
# The init of a guest (User Mode Linux): the kernel's initiator with open-iscsi and dm-multipath, whose packages lie over this machine's own
# files.  Then it does what its console says, a line at a time.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
R=/run/root
if [ "$1" != inside ]; then
	for at in /var /run /mnt; do mount -t tmpfs tmpfs $at; done
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	modules=$(sed -n 's/.*modules=\([^ ]*\).*/\1/p' /proc/cmdline)
	packages=$(sed -n 's/.*packages=\([^ ]*\).*/\1/p' /proc/cmdline)
	for name in overlay sd_mod sg iscsi_tcp dm_mod dm_multipath dm_service_time dm_round_robin dm_queue_length; do
		modprobe -d "$modules" $name || echo "no module $name"
	done
	mkdir -p $R /run/up /run/work /run/packages
	mount -t hostfs -o "$packages" none /run/packages
	mount -t overlay -o "lowerdir=/run/packages:/,upperdir=/run/up,workdir=/run/work" overlay $R
	mount -t tmpfs tmpfs $R/run
	mount -t proc proc $R/proc
	mount -t sysfs sysfs $R/sys
	mount -t devtmpfs devtmpfs $R/dev
	mkdir -p $R/dev/shm $R/var/lib/iscsi $R/run/lock
	mount -t tmpfs tmpfs $R/dev/shm
	exec chroot $R /bin/bash "$0" inside
fi
dmesg -n emerg # the console is for answers
ip link set lo up
ip link set vec0 up
ip addr add 10.98.0.2/24 dev vec0
ip route add default via 10.98.0.1
mkdir -p /etc/iscsi
echo "InitiatorName=iqn.2026-11.org.example:kernel" >/etc/iscsi/initiatorname.iscsi
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
iscsid -f >/run/iscsid.log 2>&1 &
echo READY
while IFS= read -r line; do
	eval "$line"
	echo "DONE $?"
done
echo o >/proc/sysrq-trigger
