#!/bin/sh
# Makes the users and the group of openisw.sysusers that are missing.
# usage: users.sh FILE
#
# As a step of `meson install` it does nothing where the files go elsewhere (DESTDIR): the package's own
# installation does it then, with sysusers.d or with this script.
set -uf
file=$1
[ -z "${DESTDIR-}" ] || exit 0

# missing: "u NAME" and "g NAME" lines of what there is not
missing()
{
	while read -r kind name _; do
		case $kind in
		u) getent passwd "$name" >/dev/null || echo "u $name" ;;
		g) getent group "$name" >/dev/null || echo "g $name" ;;
		esac
	done <"$file"
}

[ -n "$(missing)" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "users.sh: root is to make these users and groups, or the daemons do not start from the root /:" >&2
	missing | sed 's/^. /  /' >&2
	exit 0
fi
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers "$file" && [ -z "$(missing)" ] && exit 0
fi
missing | while read -r kind name; do
	case $kind in
	g) groupadd --system "$name" ;;
	u) useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin "$name" ;;
	esac || echo "users.sh: $name could not be made" >&2
done
[ -z "$(missing)" ]
