#!/bin/sh
# The start-up script with programs that only note what is done to them.
# usage: test_iscsi.sh PATH-OF-iscsi
set -u
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# A copy, because beside the script itself are real programs of the build.
mkdir "$tmp/script"
cp "$1" "$tmp/script/iscsi" || exit 1
iscsi=$tmp/script/iscsi
failed=0
unset OPENISW_ROOT
bin=$tmp/bin
mkdir "$bin"
export OPENISW_BIN="$tmp/none::$bin"

# A program that runs while $root/NAME.up exists, and misbehaves where a file tells it to.
cat >"$tmp/fake" <<'EOF'
#!/bin/sh
name=$(basename "$0")
root=${OPENISW_ROOT-/nonexistent}
action=start
force=
while [ $# -gt 0 ]; do
	case $1 in
	--root) root=${FAKE_ROOT:-$2}; shift ;;
	--force) force=1 ;;
	--stop) action=stop ;;
	--hand-over) action=hand_over ;;
	--unmount) action=unmount ;;
	--grace | --within) limits="${limits-}$1=$2"; shift ;;
	--status) action=status ;;
	--foreground) action=foreground ;;
	--version) action=version ;;
	-g) [ -e "$root/$name.enabled" ]; exit ;;
	-H) [ "$2" = 255 ] && action=scan; shift ;;
	*) echo "unexpected word $1" >>"$root/log" ;;
	esac
	shift
done
# Not up, then the signal: whoever is started for it is up at once.
down()
{
	running=$(cat "$root/$name.up" 2>/dev/null)
	rm -f "$root/$name.up"
	[ ! -e "$root/$name.signal" ] || kill -s "$1" "$running"
}
case $action in
version)
	read -r release <"$root/$name.release" || release=1.2.3
	echo "$name (OpenISW) $release" ;;
status)
	[ -e "$root/$name.up" ] || { echo "$name is not running"; exit 3; }
	read -r pid <"$root/$name.up" || pid=1
	[ "$name" != iradd ] || echo "status iradd" >>"$root/looked"
	kill -0 "$pid" || { echo "$name is not running"; exit 3; }
	echo "$name is running (pid $pid)" ;;
start)
	echo "start $name" >>"$root/log"
	[ ! -e "$root/$name.broken" ] || exit 1
	[ ! -e "$root/$name.hangs" ] || exec sleep 1000
	echo $PPID >"$root/$name.up" ;;
scan)
	echo "scan" >>"$root/log"
	[ ! -e "$root/$name.broken" ] || exit 4 ;;
foreground)
	echo "run $name" >>"$root/log"
	[ ! -e "$root/$name.broken" ] || exit 1
	trap 'exit 0' TERM
	trap 'exit 10' USR1
	sleep 1000 &
	echo $! >>"$root/sleepers"
	echo $$ >"$root/$name.up"
	wait ;;
hand_over)
	echo "hand over $name" >>"$root/log"
	[ ! -e "$root/$name.refuses" ] || { echo "this kernel is too old"; exit 8; }
	down USR1 ;;
unmount)
	echo "unmount $name$limits" >>"$root/log"
	[ ! -e "$root/$name.slow" ] || { trap 'echo "hurry $name" >>"$root/log"; exit 8' TERM; while [ -e "$root/$name.slow" ]; do sleep 0.1; done; } ;;
stop)
	echo "stop $name$force" >>"$root/log"
	[ ! -e "$root/$name.hangs" ] || exec sleep 1000
	[ ! -e "$root/$name.busy" ] || [ -n "$force" ] || { echo "c1t0d0 (/dev/loop0)"; exit 8; }
	down TERM ;;
esac
EOF
chmod +x "$tmp/fake"

install_fakes()
{
	rm -rf "$bin" "$tmp/root"
	mkdir "$bin" "$tmp/root"
	for p in "$@"; do
		cp "$tmp/fake" "$bin/$p"
	done
}

install_more()
{
	for p in "$@"; do
		cp "$tmp/fake" "$bin/$p"
	done
}

# want STATUS "LOG, one word after the other" ARGUMENT...
want()
{
	status=$1
	log=$2
	shift 2
	: >"$tmp/root/log"
	"$iscsi" "$@" --root "$tmp/root" >"$tmp/out" 2>&1
	got=$?
	got_log=$(tr '\n' ',' <"$tmp/root/log")
	if [ $got -ne "$status" ] || [ "$got_log" != "$log" ]; then
		echo "FAIL: iscsi $*: exit status $got, wanted $status; did \"$got_log\", wanted \"$log\""
		cat "$tmp/out"
		failed=1
	else
		echo "ok: iscsi $*: $status $log"
	fi
}

says()
{
	grep -q -- "$1" "$tmp/out" || {
		echo "FAIL: does not say \"$1\":"
		cat "$tmp/out"
		failed=1
	}
}

# Programs that are up are up as long as this script is: its pid is theirs.
up()
{
	echo $$ >"$tmp/root/$1.up"
}

echo "# the driver first, then what is installed; again, nothing; stop: the driver, then backward"
install_fakes iscsi_driverd iswd iscsi_resolvd iradd
touch "$tmp/root/iradd.enabled"
want 3 "" status
want 0 "start iscsi_driverd,start iswd,start iscsi_resolvd,start iradd," start
for p in iscsi_driverd iswd iscsi_resolvd iradd; do up $p; done
want 0 "" start
want 0 "" status
want 0 "stop iscsi_driverd,stop iradd,stop iscsi_resolvd,stop iswd," stop
want 0 "" stop
want 3 "" status

echo "# a part runs"
up iscsi_driverd
want 1 "" status
says "iswd is not running, but should be: iscsi start"
want 1 "" status --json
python3 - "$tmp/out" <<'EOF' || { cat "$tmp/out"; failed=1; }
import json, sys
status = json.load(open(sys.argv[1]))
assert status["status"] == "part", status
assert [p["name"] for p in status["programs"]] == ["iscsi_driverd", "iswd", "iscsi_resolvd", "iradd"], status
assert [p["running"] for p in status["programs"]] == [True, False, False, False], status
assert all(p["enabled"] for p in status["programs"]) and status["programs"][0]["pid"] > 0, status
EOF
"$iscsi" status --root "$tmp/root" >/dev/full 2>"$tmp/out"
[ $? -eq 1 ] || { echo "FAIL: output that was lost"; failed=1; }
says "the output is not complete"
[ "$(wc -l <"$tmp/out")" -eq 1 ] || { echo "FAIL: the shell complains, too"; cat "$tmp/out"; failed=1; }
want 0 "start iswd,start iscsi_resolvd,start iradd," start

echo "# disks in use: nothing is stopped, unless forced"
for p in iscsi_driverd iswd iscsi_resolvd iradd; do up $p; done
touch "$tmp/root/iscsi_driverd.busy"
want 8 "stop iscsi_driverd," stop
says "c1t0d0 (/dev/loop0)"
want 8 "stop iscsi_driverd," restart
want 0 "stop iscsi_driverd1,stop iradd,stop iscsi_resolvd,stop iswd," stop --force

echo "# the holder comes before the driver and goes after everything; with it a restart stops nothing"
install_fakes iscsi_driverd iscsi_holderd iswd
mkdir -p "$tmp/root/run/openisw"
want 0 "start iscsi_holderd,start iscsi_driverd,start iswd," start
for p in iscsi_driverd iscsi_holderd iswd; do up $p; done
# What a fake has started runs no longer than the script: the last two are that.
want 0 "hand over iscsi_driverd,start iscsi_driverd,stop iswd,start iswd,start iscsi_driverd,start iswd," restart
for p in iscsi_driverd iswd; do up $p; done
touch "$tmp/root/iscsi_driverd.busy"
want 0 "hand over iscsi_driverd,start iscsi_driverd,stop iswd,start iswd,start iscsi_driverd,start iswd," restart
for p in iscsi_driverd iswd; do up $p; done
touch "$tmp/root/iscsi_driverd.refuses"
want 8 "hand over iscsi_driverd,stop iscsi_driverd," restart
says "this kernel is too old"
rm "$tmp/root/iscsi_driverd.busy"
want 0 "hand over iscsi_driverd,stop iscsi_driverd,stop iswd,stop iscsi_holderd,start iscsi_holderd,start iscsi_driverd,start iswd," restart
touch "$tmp/root/iscsi_holderd.broken"
rm -f "$tmp/root/iscsi_holderd.up"
for p in iscsi_driverd iswd; do up $p; done
want 0 "stop iscsi_driverd,stop iswd,start iscsi_holderd,start iscsi_driverd,start iswd," restart

echo "# what does not start"
install_fakes iscsi_driverd iswd iradd
touch "$tmp/root/iradd.enabled"
touch "$tmp/root/iswd.broken"
want 1 "start iscsi_driverd,start iswd,start iradd," start
says "iswd did not start"
install_fakes iscsi_driverd iswd
touch "$tmp/root/iscsi_driverd.broken"
want 1 "start iscsi_driverd," start
install_fakes iswd
want 6 "" start
says "iscsi_driverd is not installed"

echo "# islpd and iradd only where they are enabled; then a scan; each phase by itself"
install_fakes iscsi_driverd iswd islpd iradd ioscan
want 0 "start iscsi_driverd,start iswd,scan," start
for p in iscsi_driverd iswd; do up $p; done
want 0 "" status
says "islpd is not running (start on boot is disabled)"
touch "$tmp/root/islpd.enabled"
want 1 "" status
up islpd
rm "$tmp/root/islpd.enabled"
want 0 "" status
want 0 "stop iscsi_driverd,stop islpd,stop iswd," stop
install_fakes iscsi_driverd islpd ioscan
touch "$tmp/root/islpd.enabled"
want 0 "start iscsi_driverd,start islpd," start --phase 1

echo "# iisnsd where an iSNS server was configured: after islpd, before iradd, and it ends before islpd does"
install_fakes iscsi_driverd iswd islpd iisnsd iradd
want 0 "start iscsi_driverd,start iswd," start
for p in iscsi_driverd iswd; do up $p; done
want 0 "" status
says "iisnsd is not running (start on boot is disabled)"
for p in islpd iisnsd iradd; do touch "$tmp/root/$p.enabled"; done
want 1 "" status
says "iisnsd is not running, but should be: iscsi start"
want 0 "start islpd,start iisnsd,start iradd," start
for p in islpd iisnsd iradd; do up $p; done
want 0 "" status
want 0 "stop iscsi_driverd,stop iradd,stop iisnsd,stop islpd,stop iswd," stop
touch "$tmp/root/iisnsd.broken"
want 1 "start iscsi_driverd,start iswd,start islpd,start iisnsd,start iradd," start
says "iisnsd did not start"
rm "$tmp/root/iisnsd.enabled"
for p in iscsi_driverd iswd islpd iradd; do up $p; done
want 0 "" status

echo "# phases again"
install_fakes iscsi_driverd ioscan
want 1 "" start --phase 2
says "iscsi_driverd does not run"
up iscsi_driverd
want 0 "scan," start --phase 2
touch "$tmp/root/ioscan.broken"
want 0 "scan," start --phase 2
says "not everything was found"
want 2 "" start --phase 3

echo "# the release, as swlist says it; what is of another one is found, and a driver that was there before"
install_fakes iscsi_driverd iswd iscsiutil iscsi-replay
want 0 "" --version
says "^OpenISW  *1\.2\.3  *iSCSI Software Initiator$"
says "^OpenISW\.iswd  *1\.2\.3  *$bin/iswd$"
says "^OpenISW\.iscsiutil "
says "^OpenISW\.iscsi-replay  *1\.2\.3  *$bin/iscsi-replay$"
echo 1.2.2 >"$tmp/root/iswd.release"
want 1 "" --version
says "^OpenISW\.iswd  *1\.2\.2 "
says "not everything is of release 1\.2\.3"
rm "$tmp/root/iswd.release"
cp "$(command -v sleep)" "$tmp/replaced"
"$tmp/replaced" 1000 &
victim=$!
echo $victim >"$tmp/root/iscsi_driverd.up"
want 0 "" --version
rm "$tmp/replaced"
want 1 "" --version
says "runs (pid $victim) from what was installed before"
kill $victim
wait $victim 2>/dev/null
want 2 "" start --version
install_fakes iswd
want 6 "" --version

echo "# systemd's units, where it has them and the root is the system's"
install_fakes iscsi_driverd iswd
mkdir "$tmp/systemd"
cat >"$tmp/systemd/systemctl" <<EOF
#!/bin/sh
[ "\$1" != show ] || { echo loaded; exit 0; }
[ "\$1" != is-active ] || [ "\$3" != iscsi_driverd.service ] || { [ ! -e "$tmp/root/driver.by.hand" ]; exit; }
if [ "\$1" = is-active ]; then [ -e "$tmp/root/\$3.active" ]; exit; fi
echo "systemctl \$*" >>"$tmp/root/log"
EOF
chmod +x "$tmp/systemd/systemctl"
(PATH=$tmp/systemd:$PATH; want 0 "start iscsi_driverd,start iswd," start; exit $failed) || failed=1
up iscsi_driverd
: >"$tmp/root/log"
for action in start stop; do
	PATH=$tmp/systemd:$PATH FAKE_ROOT=$tmp/root "$iscsi" $action --root / >"$tmp/out" 2>&1 ||
		{ echo "FAIL: iscsi $action by systemd"; cat "$tmp/out"; failed=1; }
done
log=$(tr '\n' ',' <"$tmp/root/log")
[ "$log" = "systemctl start openisw.target,stop iscsi_driverd,systemctl stop openisw.target," ] ||
	{ echo "FAIL: by systemd: did \"$log\""; failed=1; }

# What was started by hand hands over to its unit, and ends with the others.
up iscsi_driverd
up iswd
: >"$tmp/root/log"
PATH=$tmp/systemd:$PATH FAKE_ROOT=$tmp/root "$iscsi" start --root / >"$tmp/out" 2>&1 || { cat "$tmp/out"; failed=1; }
says "iswd was started by hand; its unit takes over"
touch "$tmp/root/iswd.service.active"
up iswd
PATH=$tmp/systemd:$PATH FAKE_ROOT=$tmp/root "$iscsi" start --root / >"$tmp/out" 2>&1 || { cat "$tmp/out"; failed=1; }
up iscsi_driverd
PATH=$tmp/systemd:$PATH FAKE_ROOT=$tmp/root "$iscsi" stop --root / >"$tmp/out" 2>&1 || { cat "$tmp/out"; failed=1; }
log=$(tr '\n' ',' <"$tmp/root/log")
[ "$log" = "systemctl start openisw.target,systemctl start openisw.target,stop iscsi_driverd,systemctl stop openisw.target,stop iswd," ] ||
	{ echo "FAIL: by hand beside systemd: did \"$log\""; failed=1; }

# A driver that was started by hand goes on, and what runs beside it is its own.
install_fakes iscsi_driverd iswd
printf '#!/bin/sh\n[ $# -gt 1 ] || exec "%s" "$@"\n' "$(command -v id)" >"$tmp/systemd/id" # every user is there
chmod +x "$tmp/systemd/id"
touch "$tmp/root/driver.by.hand"
up iscsi_driverd
: >"$tmp/root/log"
PATH=$tmp/systemd:$PATH FAKE_ROOT=$tmp/root "$iscsi" start --root / >"$tmp/out" 2>&1 || { cat "$tmp/out"; failed=1; }
says "'iscsi stop', then 'iscsi start' give it to its unit"
[ "$(tr '\n' ',' <"$tmp/root/log")" = "start iswd," ] || { echo "FAIL: a driver by hand: $(cat "$tmp/root/log")"; failed=1; }

echo "# supervised: what dies is started again, what was stopped is not"
# until_true COMMAND...: within a minute
until_true()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		if [ $tries -gt 600 ]; then
			echo "FAIL: waited in vain for $*"
			cat "$tmp/root/log" "$tmp/out"
			failed=1
			return 1
		fi
		sleep 0.1
	done
}
runs_of()
{
	[ "$(grep -c "^run $1\$" "$tmp/root/log")" -ge "$2" ] && [ -s "$tmp/root/$1.up" ]
}
install_fakes iscsi_driverd iswd
touch "$tmp/root/log" "$tmp/root/iscsi_driverd.signal" "$tmp/root/iswd.signal"
"$iscsi" supervise --root "$tmp/root" >"$tmp/out" 2>&1 &
supervisor=$!
until_true runs_of iscsi_driverd 1
until_true runs_of iswd 1
victim=$(cat "$tmp/root/iswd.up")
rm "$tmp/root/iswd.up"
kill -KILL "$victim"
until_true runs_of iswd 2
"$iscsi" stop --root "$tmp/root" >/dev/null || { echo "FAIL: stopping the supervised"; failed=1; }
wait $supervisor || { echo "FAIL: the supervisor's exit status is $?"; failed=1; }
says "iswd ended (exit status 137)"
says "everything has ended"
grep -q "ended (exit status 0)" "$tmp/out" && { echo "FAIL: what was stopped was missed"; failed=1; }
runs_of iswd 3 && { echo "FAIL: what was stopped was started again"; failed=1; }

echo "# supervised: what is asked for later is kept from then on, also where it was started by hand"
install_more iradd
touch "$tmp/root/iradd.signal"
export OPENISW_LOOK_AGAIN=0.1
"$iscsi" supervise --root "$tmp/root" >"$tmp/out" 2>&1 &
supervisor=$!
until_true runs_of iswd 3
grep -q '^run iradd$' "$tmp/root/log" && { echo "FAIL: what nobody asked for runs"; failed=1; }
# By hand: it runs, and is asked for from now on.
sleep 1000 &
by_hand=$!
echo $by_hand >"$tmp/root/iradd.up"
touch "$tmp/root/iradd.enabled"
until_true grep -qs "status iradd" "$tmp/root/looked"
grep -q '^run iradd$' "$tmp/root/log" && { echo "FAIL: what runs by hand was started again"; failed=1; }
kill -KILL $by_hand
until_true runs_of iradd 1
"$iscsi" stop --root "$tmp/root" >/dev/null || { echo "FAIL: stopping the supervised"; failed=1; }
wait $supervisor || { echo "FAIL: the supervisor's exit status is $?"; failed=1; }
[ ! -e "$tmp/root/iradd.up" ] || { echo "FAIL: what was asked for later is not stopped"; failed=1; }
unset OPENISW_LOOK_AGAIN
rm "$bin/iradd" "$tmp/root/iradd.enabled"

echo "# supervised: a restart is the supervisor's"
mkdir -p "$tmp/root/run/openisw"
install_more iscsi_holderd
touch "$tmp/root/iscsi_holderd.signal"
"$iscsi" supervise --root "$tmp/root" >"$tmp/out" 2>&1 &
supervisor=$!
until_true runs_of iswd 3
until_true test -s "$tmp/root/run/openisw/iscsi.supervisor"
"$iscsi" restart --root "$tmp/root" >"$tmp/restarted" 2>&1 || { cat "$tmp/restarted"; failed=1; }
grep -q "iscsi_driverd was started again" "$tmp/restarted" && grep -q "iswd was started again" "$tmp/restarted" ||
	{ echo "FAIL: a supervised restart"; cat "$tmp/restarted" "$tmp/root/log"; failed=1; }
"$iscsi" stop --root "$tmp/root" >/dev/null || { echo "FAIL: stopping the supervised"; failed=1; }
wait $supervisor || { echo "FAIL: the supervisor's exit status is $?"; failed=1; }
[ ! -e "$tmp/root/run/openisw/iscsi.supervisor" ] || { echo "FAIL: the supervisor is still named"; failed=1; }
rm "$bin/iscsi_holderd"

echo "# the supervisor's own end is everybody's"
"$iscsi" supervise --root "$tmp/root" >"$tmp/out" 2>&1 &
supervisor=$!
until_true runs_of iswd 3
kill $supervisor
wait $supervisor || { echo "FAIL: the supervisor's exit status is $?"; failed=1; }
says "iscsi_driverd stopped"
says "iswd stopped"
grep -E '^(unmount|stop) ' "$tmp/root/log" | tail -n 3 | tr '\n' , >"$tmp/order"
[ "$(cat "$tmp/order")" = "unmount iscsi_driverd--grace=0--within=300,stop iscsi_driverd,stop iswd," ] ||
	{ echo "FAIL: the order of the end: $(cat "$tmp/order")"; failed=1; }

echo "# a second signal hurries, and what refuses then is stopped all the same"
touch "$tmp/root/iscsi_driverd.slow" "$tmp/root/iscsi_driverd.busy"
"$iscsi" supervise --within 20 --root "$tmp/root" >"$tmp/out" 2>&1 &
supervisor=$!
until_true runs_of iswd 4
kill $supervisor
until_true grep -q '^unmount iscsi_driverd--grace=0--within=20$' "$tmp/root/log"
kill $supervisor
wait $supervisor || { echo "FAIL: the supervisor's exit status is $?"; failed=1; }
says "what is not written to these disks is lost"
grep -A 2 '^hurry' "$tmp/root/log" | tr '\n' , >"$tmp/order"
[ "$(cat "$tmp/order")" = "hurry iscsi_driverd,stop iscsi_driverd,stop iscsi_driverd1," ] ||
	{ echo "FAIL: the order of the hurried end: $(cat "$tmp/order")"; failed=1; }
while read -r pid; do
	kill "$pid" 2>/dev/null
done <"$tmp/root/sleepers"

echo "# what hangs"
export OPENISW_PATIENCE=1
install_fakes iscsi_driverd iswd
touch "$tmp/root/iscsi_driverd.hangs"
want 1 "start iscsi_driverd," start
says "not ready within 1 seconds"
up iscsi_driverd
up iswd
want 1 "stop iscsi_driverd," stop
says "left running"
sleep 1000 &
victim=$!
echo $victim >"$tmp/root/iscsi_driverd.up"
want 0 "stop iscsi_driverd1,stop iswd," stop --force
says "killing iscsi_driverd (pid $victim)"
wait $victim 2>/dev/null
[ $? -eq 137 ] || { echo "FAIL: the driver was not killed"; failed=1; }
unset OPENISW_PATIENCE

echo "# wrong usage changes nothing"
install_fakes iscsi_driverd
want 2 ""
want 2 "" start stop
want 2 "" frobnicate
[ "$(wc -l <"$tmp/out")" -eq 1 ] || { echo "FAIL: more than a sentence"; failed=1; }
says "unknown word \"frobnicate\". Next: run 'iscsi --help'"
want 2 "" stop --phase 1
want 2 "" restart --phase 2
want 2 "" start --json
want 2 "" stop --within 10
want 2 "" unmount --within 1x
want 2 "" unmount --phase 1
want 2 "" start --force=yes
OPENISW_PATIENCE=1x want 2 "" start
"$iscsi" start --root >/dev/null 2>&1
[ $? -eq 2 ] || { echo "FAIL: --root without a directory"; failed=1; }
"$iscsi" -h | grep -q '8 refused' || { echo "FAIL: --help lacks exit statuses"; failed=1; }

echo "# through a link, beside the programs, root from the environment"
install_fakes iscsi_driverd
cp "$iscsi" "$bin/iscsi"
ln -s "$bin/iscsi" "$tmp/link"
OPENISW_BIN='' OPENISW_ROOT=$tmp/root "$tmp/link" start >"$tmp/out" 2>&1 ||
	{ echo "FAIL: through a link"; cat "$tmp/out"; failed=1; }
grep -q "start iscsi_driverd" "$tmp/root/log" || { echo "FAIL: root of the environment"; failed=1; }

exit $failed
