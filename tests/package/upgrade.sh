#!/bin/sh
# usage: upgrade.sh OLD.deb NEW.deb: what an upgrade and a removal do to an initiator at work, with systemd and without.
# Runs in the system that place.py makes, beside a copy of debian/tests.
# shellcheck source=debian/tests/target.sh
. "$(dirname "$0")/target.sh"
old=$1 new=$2
booted=
[ ! -d /run/systemd/system ] || booted=yes
export DEBIAN_FRONTEND=noninteractive

# set_up PACKAGE: what dpkg and the package's scripts say goes to $work/said
set_up()
{
	dpkg -i "$1" >"$work/said" 2>&1 || fail "dpkg: $(cat "$work/said")"
}

says()
{
	grep -q "$1" "$work/said" || fail "nobody says \"$1\": $(cat "$work/said")"
}

silent()
{
	! grep -q "$1" "$work/said" || fail "somebody says: $(grep "$1" "$work/said")"
}

# same PROGRAM PID...: it is the process that it was
same()
{
	for program in iscsi_driverd iswd; do
		[ "$(pid_of $program)" = "$1" ] || fail "$program was restarted"
		shift
	done
}

# lasts: a driver goes on with the disks of the one before it
lasts()
{
	[ "$(printf '6.9\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.9 ]
}

# Every line is on the target's disk before the next one is written.
write_lines()
{
	n=0
	while [ ! -e "$work/enough" ]; do
		n=$((n + 1))
		echo "line $n" >>"$work/mnt/lines" && sync -d "$work/mnt/lines" || { echo "$n" >"$work/broken"; break; }
		echo "$n" >"$work/written.new" && mv "$work/written.new" "$work/written"
	done
}

written()
{
	cat "$work/written" 2>/dev/null || echo 0 # it is replaced, so never empty
}

# Wait until it has written more lines.
goes_on()
{
	before=$(written)
	tries=0
	while [ "$(written)" -lt $((before + 5)) ]; do
		[ ! -e "$work/broken" ] || fail "line $(cat "$work/broken") could not be written"
		tries=$((tries + 1))
		[ $tries -le 200 ] || fail "no line was written any more"
		sleep 0.1 # no-sleep-ok: it polls
	done
}

set_up "$old"
if [ -n "$booted" ]; then
	systemctl --quiet is-enabled openisw.target || fail "not started at boot"
	systemctl --quiet is-active openisw.target iscsi_driverd iswd iscsi_resolvd || fail "not started: $(systemctl --failed)"
else
	status 3 iscsi status
	iscsi start
fi
start_target

echo "# no disk is in use: systemd starts the new release, elsewhere it is said how"
driver=$(pid_of iscsi_driverd)
set_up "$new"
if [ -n "$booted" ]; then
	[ "$(pid_of iscsi_driverd)" != "$driver" ] || fail "the old driver runs on: $(cat "$work/said")"
	silent "still the one of before"
	status 0 iscsi status
	status 0 iscsi --version

	echo "# an administrator's policy-rc.d is obeyed"
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	driver=$(pid_of iscsi_driverd)
	set_up "$old"
	[ "$(pid_of iscsi_driverd)" = "$driver" ] || fail "restarted against policy-rc.d"
	rm /usr/sbin/policy-rc.d
else
	[ "$(pid_of iscsi_driverd)" = "$driver" ] || fail "the driver was restarted where nobody would start it again"
	set_up "$old"
fi
says "still the one of before"
status 1 iscsi --version
iscsi restart
status 0 iscsi --version

echo "# a disk is in use and written to: the new release goes on with it; where it cannot, nothing happens"
first_disk
write_lines &
writer=$!
goes_on
driver=$(pid_of iscsi_driverd)
connector=$(pid_of iswd)
set_up "$new"
goes_on
if [ -z "$booted" ] || ! lasts; then
	same "$driver" "$connector"
	says "'iscsi restart' starts the new one"
	status 1 iscsi --version
	lasts && restarted=0 || restarted=8
	status $restarted iscsi restart
fi
if lasts; then
	[ "$(pid_of iscsi_driverd)" != "$driver" ] || fail "the old driver runs on: $(cat "$work/said")"
	status 0 iscsi --version
fi
goes_on
driver=$(pid_of iscsi_driverd)
connector=$(pid_of iswd)

echo "# nor does it by a removal, which is refused"
! dpkg -r openisw >"$work/said" 2>&1 || fail "removed"
says "unmount its disks"
same "$driver" "$connector"
[ -z "$booted" ] || systemctl --quiet is-active openisw.target || fail "the units were stopped"
goes_on

echo "# when it is free again the new release starts, and everything is there"
touch "$work/enough"
wait $writer
[ ! -e "$work/broken" ] || fail "line $(cat "$work/broken") could not be written"
umount "$work/mnt"
status 0 iscsi restart
[ "$(pid_of iscsi_driverd)" != "$driver" ] || fail "the old driver runs on"
status 0 iscsi --version
mount $node "$work/mnt"
[ "$(wc -l <"$work/mnt/lines")" -eq "$(written)" ] || fail "$(wc -l <"$work/mnt/lines") lines of $(written) are there"
umount "$work/mnt"

echo "# purged"
islpd -a
dpkg -P openisw
[ -z "$booted" ] || [ "$(systemctl show -P LoadState openisw.target)" = not-found ] || fail "systemd still knows the target"
echo "all of it held"
