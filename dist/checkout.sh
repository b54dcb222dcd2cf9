# shellcheck shell=bash
# Shell functions for those who make packages of a checkout.  Source this file from the top of the tree.

# The release: meson.build has it, and nothing else may say another one.
checkout_version() {
	sed -n "s/^  version: '\([^']*\)',$/\1/p" meson.build
}

# Something that grows with every commit, for packages made between two releases.
checkout_snapshot() {
	TZ=UTC0 git log -1 --date=format-local:%Y%m%d.%H%M%S --format=git%cd.%h 2>/dev/null || date -u +local%Y%m%d.%H%M%S
}

# checkout_copy DIRECTORY: the files of the tree as they lie here, committed or not, without what was built
checkout_copy() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
			[ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\0' "$file"
		done | tar -c --null --no-recursion -T - | tar -x -C "$1"
	else
		tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$1"
	fi
}
