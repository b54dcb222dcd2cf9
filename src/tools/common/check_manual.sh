#!/bin/sh
# check_manual.sh MANDOC TOOL PAGE: the page has no fault that mandoc knows, and its synopsis and
# options, as a reader sees them, are those of TOOL --help.
set -u
export LC_ALL=C
mandoc=$1 tool=$2 page=$3
name=$(basename "$tool")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

"$mandoc" -T lint -W warning "$page" || { echo "mandoc finds fault with $page"; exit 1; }

# In both, an argument's name is only a word, and blanks do not count.
plain() { tr -d '<>' | tr -s ' ' | sed 's/^ //; s/ $//'; }

# What is wrapped is one line again: a form goes on behind the command's name, an option's help where it began.
helps() {
	"$tool" "$@" --help | awk -v column=$((8 + ${#name})) '
		match($0, /[^ ]/) && RSTART - 1 == column { sub(/^ +/, ""); line = line " " $0; next }
		{ if (NR > 1) print line; line = $0 }
		END { print line }'
}
helps >"$work/short" && [ -s "$work/short" ] || { echo "$tool --help failed"; exit 1; }
cp "$work/short" "$work/help"
# A command with verbs explains each of them by itself.
for verb in $(sed -n '/^verbs:/,/^$/s/^  \(-[^ ]*\).*/\1/p' "$work/short"); do
	helps "$verb" >>"$work/help"
done
[ -z "$(awk 'length > 79' "$work/help" | grep -v "^ *$name\|^usage: ")" ] || { echo "$name --help is too wide"; exit 1; }
grep -v '<verb>' "$work/help" | sed -n "s/^usage: \($name.*\)/\1/p; s/^ \{7\}\($name .*\)/\1/p; s/^ \{7\}\($name\)\$/\1/p" | plain | sort -u >"$work/forms"
sed -n '/^options:/,$s/^  \(-.*\)/\1/p' "$work/help" | sed 's/  .*//' | plain | sort -u >"$work/options"

"$mandoc" -T ascii -O width=300 "$page" | sed "s/.$(printf '\b')//g" >"$work/page"
sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' "$work/page" | sed -n "s/^ *\($name.*\)/\1/p" | plain | sort -u >"$work/page-forms"
sed -n '/^OPTIONS/,/^[A-PR-Z]/p' "$work/page" | sed -n 's/^ *\(-.*\)/\1/p' | sed 's/  .*//' | plain | sort -u >"$work/page-options"

[ -s "$work/forms" ] && [ -s "$work/options" ] || { echo "$name --help lists nothing"; exit 1; }
diff "$work/forms" "$work/page-forms" || { echo "the page's synopsis is not what $name --help says"; exit 1; }
diff "$work/options" "$work/page-options" || { echo "the page's options are not what $name --help says"; exit 1; }
