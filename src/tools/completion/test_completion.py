"""Completions have every option of the tables, and each shell itself offers what fits.

test_completion.py BASH ZSH FISH SOURCE...: files of completions; the tables, or the usage, that they are made of
"""
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

BASH, ZSH, FISH, *SOURCES = sys.argv[1:]
TOOL = os.path.basename(BASH)
ROW = re.compile(r"^OPT\((\w+), *(?:'(.)'|0), *(?:\"([^\"]+)\"|NULL), *(\w+),", re.MULTILINE)
USAGE = re.compile(r"^  (?:-(\w))?(?:, )?(?:--([\w-]+))?(?: |$)")
FRAMEWORK = "/usr/share/bash-completion/bash_completion"
NAMES = ("iqn.2001-04.com.example:a", "iqn.2001-04.com.example:b")
# Commands that answer as there were two targets.
FAKES = {"iscsiutil": "".join("echo 'Target iSCSI Name : %s'\n" % n for n in NAMES) + "echo 'Session Instance : 7'\n",
         "ioscan": "echo '255/0/0.0.0.1    disk'\n"}
# zsh at a prompt; whoever offers anything does it by compadd, which tells of it here.
PROMPT = r"""
PROMPT= RPROMPT=
unset zle_bracketed_paste
fpath=($1 $fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^I' complete-word
opened() { print -r -- '<<<' }
closed() { print -r -- '>>>'; exit }
compprefuncs=(opened) comppostfuncs=(closed)
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	local -a hits
	builtin compadd -A hits "$@"
	local hit
	for hit in $hits; do print -r -- "= $hit"; done
	builtin compadd "$@"
}
stty -onlcr
print ready
"""


class Skip(Exception):
    """It cannot be looked at here; the text is the reason."""


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def rows():
    """[letter, name, role] of each option, and the words that are none."""
    text = "".join(read(path) for path in SOURCES)
    if SOURCES[0].endswith(".def"):
        return [row[1:] for row in ROW.findall(text)], []
    lines = [line for line in text.splitlines() if re.match(r"  [^ ]", line)]
    options = [USAGE.match(line) for line in lines if line[2] == "-"]
    return [(m.group(1) or "", m.group(2) or "", "MODIFIER") for m in options], [line.split()[0] for line in lines if line[2] != "-"]


class Home:
    """A root with disks, programs that answer, and a home of nobody's."""

    def __enter__(self):
        self.path = tempfile.mkdtemp()
        for directory in ("dev/dsk/c7t0d1", "bin", "comp"):
            os.makedirs(os.path.join(self.path, directory))
        for name, script in FAKES.items():
            self.answer(name, script)
        shutil.copy(ZSH, os.path.join(self.path, "comp"))
        self.env = {"PATH": self.path + "/bin:/usr/bin:/bin", "OPENISW_ROOT": self.path, "HOME": self.path, "TERM": "dumb",
                    "LC_ALL": "C.UTF-8"}
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def answer(self, name, script):
        path = os.path.join(self.path, "bin", name)
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n" + script)
        os.chmod(path, stat.S_IRWXU)

    def bash(self, *words):
        """What bash offers for the last word; a colon and an equal sign part words, as in a terminal."""
        script = '[ ! -e %s ] || . %s; source "$1"; COMP_LINE=$2; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ' \
            'COMP_POINT=${#COMP_LINE}; _%s 2>&1; printf "%%s\\n" "${COMPREPLY[@]}"' % (FRAMEWORK, FRAMEWORK, TOOL)
        line = re.sub(r" ([:=]) ", r"\1", " ".join((TOOL, *words)))
        out = subprocess.run(["bash", "--norc", "-c", script, "bash", BASH, line, TOOL, *words], stdout=subprocess.PIPE, text=True,
                             env=self.env, check=True)
        return set(out.stdout.split())

    def zsh(self, *words):
        if not shutil.which("zsh"):
            raise Skip("zsh is not installed")
        prompt = os.path.join(self.path, "prompt")
        with open(prompt, "w", encoding="utf-8") as f:
            f.write(PROMPT)
        pid, fd = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.env)
        try:
            os.write(fd, ("source %s %s/comp\n" % (prompt, self.path)).encode())
            self.until(fd, "\nready")
            os.write(fd, (TOOL + " " + " ".join(words) + "\t").encode())
            text = self.until(fd, ">>>")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(fd)
        return set(re.findall(r"^= (.*)$", text.rpartition("<<<")[2].replace("\r", ""), re.MULTILINE))

    @staticmethod
    def until(fd, what):
        text = b""
        while what.encode() not in text.replace(b"\r", b""):
            part = b""
            if select.select([fd], [], [], 20)[0]:
                try:
                    part = os.read(fd, 65536)
                except OSError:  # nobody has the other end any more
                    pass
            assert part, text.decode(errors="replace")
            text += part
        return text.decode(errors="replace")

    def fish(self, *words):
        if not shutil.which("fish"):
            raise Skip("fish is not installed")
        line = TOOL + " " + " ".join(words)
        out = subprocess.run(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", FISH, line],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.env, check=True)
        return {row.split("\t")[0] for row in out.stdout.splitlines()}


def every_option(options):
    texts = {path: read(path) for path in (BASH, ZSH, FISH)}
    assert len(options) >= 5, options
    for letter, name, _ in options:
        if letter:
            assert re.search(r"^(fit=')?-%s$|[ '\t|]-%s\b" % (letter, letter), texts[BASH], re.MULTILINE), (BASH, letter)
            assert re.search(r"['{*]-%s[+\[,']" % letter, texts[ZSH]), (ZSH, letter)
            assert re.search(r"^complete -c %s .*-s %s\b" % (TOOL, letter), texts[FISH], re.MULTILINE), (FISH, letter)
        if name:
            assert re.search(r"--%s\b" % name, texts[BASH]), (BASH, name)
            assert re.search(r"--%s[=\[})]" % name, texts[ZSH]), (ZSH, name)
            assert re.search(r"^complete .* -l %s\b" % name, texts[FISH], re.MULTILINE), (FISH, name)


def of_verbs(offers, verbs):
    """iscsiutil's: a verb, then what fits it, then values."""
    first = offers("-")
    assert verbs <= first and "--force" not in first and "-W" not in first, first
    added = offers("-a", "-")
    assert added >= {"-I", "-P", "-M", "-T", "--if-absent"} and "-L" not in added and not verbs & added, added
    assert "--follow" in offers("--events", "--")
    assert offers("-u", "-H", "CHAP_") == {"CHAP_UNI", "CHAP_BI"}
    assert offers("-b", "w") == {"warn"}
    assert offers("-t", "Imm") == {"ImmediateData"} and offers("-t", "N") >= {"NOPInterval", "NOPTimeout"}
    for key in ("headerdigest", "HeaderDigest"):
        assert offers("-t", key, "") >= {"None", "CRC32C", "default"}, (key, offers("-t", key, ""))
    assert offers("-t", "InitialR2T", "Y") == {"Yes"}
    assert offers("--explain", "OPENISW_LOG_SESSION_L") == {"OPENISW_LOG_SESSION_LOST"}
    assert offers("-p", "-S", "") >= {"7"}
    assert offers("-s", "/dev/is") == {"/dev/iscsi", "/dev/isw"}


def offered(offers, options, words):
    verbs = {"-" + o[0] if o[0] else "--" + o[1] for o in options if o[2] == "VERB"}
    assert {"--root", "--help", "--version"} <= offers("--"), offers("--")
    assert {path.rstrip("/") for path in offers("--root", "/us")} & {"/usr", "usr"}, offers("--root", "/us")
    if verbs:
        of_verbs(offers, verbs)
    else:
        assert {"-" + o[0] for o in options if o[0]} <= offers("-"), offers("-")
    if words:
        assert set(words) <= offers(""), (words, offers(""))
        assert offers("start", "--phase", "") == {"1", "2"}
    if TOOL == "rmsf":
        assert offers("-q", "c7") == {"c7t0d1"}
        assert offers("-H", "255") == {"255/0/0.0.0.1"}
    if "-d" in {"-" + o[0] for o in options} and not SOURCES[0].endswith(".def"):
        assert offers("--debug", "w") == {"warn"} == offers("-d", "w")


def bash(home, options, words):
    offered(home.bash, options, words)
    if TOOL != "iscsiutil":
        return
    assert home.bash("-pS", "") == {"7"}
    assert home.bash("--root", "=", "/us") == {"/usr"} == home.bash("--root", "/us")
    # A name's colon parts words: what stands before it is not offered again.
    if os.path.exists(FRAMEWORK):
        assert home.bash("-p", "-T", "iqn.2001-04.com.example", ":", "") == {n.split(":")[1] for n in NAMES}
    assert home.bash("-p", "-T", "iqn") == set(NAMES)
    # What is listed is never expanded, whatever a target calls itself.
    home.answer("iscsiutil", "echo 'Target iSCSI Name : iqn.$(touch\t%s/bin/x)*'\n" % home.path)
    assert len(home.bash("-p", "-T", "iqn")) == 2 and not os.path.exists(home.path + "/bin/x"), home.bash("-p", "-T", "iqn")
    home.answer("iscsiutil", FAKES["iscsiutil"])


def zsh(home, options, words):
    offered(home.zsh, options, words)
    if TOOL == "iscsiutil":
        assert home.zsh("-p", "-T", "iqn") == set(NAMES)
        # What may stand there several times is offered again, and what may not is not.
        again = home.zsh("-a", "-I", "::1", "-P", "1", "-")
        assert "-I" in again and "-P" not in again, again


def fish(home, options, words):
    offered(home.fish, options, words)
    if TOOL == "iscsiutil":
        assert home.fish("-p", "-T", "iqn") == set(NAMES)
        assert "-I" in home.fish("-a", "-I", "::1", "-")
        assert home.fish("-p", "-O", "") <= {"/dev/iscsi", "/dev/isw"}, home.fish("-p", "-O", "")


def main():
    options, words = rows()
    is_wrong = False
    with Home() as home:
        for number, (what, check) in enumerate((
                ("every option of %s is completed by bash, zsh and fish" % TOOL, lambda: every_option(options)),
                ("bash offers what fits what stands there", lambda: bash(home, options, words)),
                ("zsh offers what fits what stands there", lambda: zsh(home, options, words)),
                ("fish offers what fits what stands there", lambda: fish(home, options, words))), 1):
            try:
                check()
            except Skip as why:
                print("ok %d - %s # SKIP %s" % (number, what, why))
            except AssertionError as wrong:
                is_wrong = True
                print("not ok %d - %s\n# %s" % (number, what, str(wrong).replace("\n", "\n# ")))
            else:
                print("ok %d - %s" % (number, what))
    print("1..4")
    return is_wrong


sys.exit(main())
