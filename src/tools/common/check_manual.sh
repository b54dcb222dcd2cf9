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

"$tool" --help >"$work/help" || { echo "$tool --help failed"; exit 1; }
sed -n "s/^usage: \($name.*\)/\1/p; s/^ \{7\}\($name .*\)/\1/p; s/^ \{7\}\($name\)\$/\1/p" "$work/help" | plain >"$work/forms"
sed -n '/^options:/,$s/^  \(-.*\)/\1/p' "$work/help" | sed 's/  .*//' | plain >"$work/options"

"$mandoc" -T ascii -O width=300 "$page" | sed "s/.$(printf '\b')//g" >"$work/page"
sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' "$work/page" | sed -n "s/^ *\($name.*\)/\1/p" | plain >"$work/page-forms"
sed -n '/^OPTIONS/,/^[A-PR-Z]/p' "$work/page" | sed -n 's/^ *\(-.*\)/\1/p' | sed 's/  .*//' | plain >"$work/page-options"

[ -s "$work/forms" ] && [ -s "$work/options" ] || { echo "$name --help lists nothing"; exit 1; }
diff "$work/forms" "$work/page-forms" || { echo "the page's synopsis is not what $name --help says"; exit 1; }
diff "$work/options" "$work/page-options" || { echo "the page's options are not what $name --help says"; exit 1; }
