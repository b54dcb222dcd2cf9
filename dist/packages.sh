# shellcheck shell=sh
# Shell functions: install what is missing of some groups of packages.txt.  Source this file from the top of the tree.

# Is it installed, or does another package stand in for it (npm, with some of nodejs)?
packages_is_there() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed ||
		dpkg-query -W -f '${db:Status-Status}, ${Provides}\n' | sed -n 's/^installed, //p' | tr ',' '\n' | sed 's/^ *//; s/ .*//' | grep -qx -- "$1"
}

# The packages of the named groups that are not installed.
packages_missing() {
	for group in "$@"; do
		awk -F'\t' -v group="$group" '$1 == group { print $2 }' dist/packages.txt
	done | sort -u | while read -r package; do
		packages_is_there "$package" || echo "$package"
	done
}

# Installs them; services of the packages are not started (a policy-rc.d forbids it while apt-get runs).
packages_need() {
	command -v dpkg-query >/dev/null || {
		echo "This is not Debian: install by hand what dist/packages.txt lists for: $*." >&2
		return 0
	}
	packages_list=$(packages_missing "$@" | tr '\n' ' ')
	[ -n "$packages_list" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "Packages are missing, and only root can install them.  Run this as root, then start again:" >&2
		echo "  apt-get install $packages_list" >&2
		return 1
	fi
	echo "installing: $packages_list"
	( # a subshell: its trap undoes what is changed meanwhile
		packages_log=$(mktemp)
		trap 'rm -f "$packages_log"' EXIT
		if [ ! -e /usr/sbin/policy-rc.d ]; then
			trap 'rm -f "$packages_log" /usr/sbin/policy-rc.d' EXIT
			printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
		fi
		export DEBIAN_FRONTEND=noninteractive
		# shellcheck disable=SC2086 # a list of words
		set -- apt-get install -y --no-install-recommends $packages_list
		"$@" </dev/null >"$packages_log" 2>&1 && exit 0
		apt-get update </dev/null >>"$packages_log" 2>&1
		"$@" </dev/null >>"$packages_log" 2>&1 && exit 0
		tail -n 15 "$packages_log" >&2
		echo "apt-get could not install: $packages_list" >&2
		echo "Look at the lines above: is the network there, and are Debian's sources in /etc/apt?" >&2
		exit 1
	)
}
