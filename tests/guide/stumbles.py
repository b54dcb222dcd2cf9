"""What an administrator once stumbled over: sentences, exit statuses and options, as a row each."""
import os
import re
import subprocess

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import BUILD, Initiator

USAGE, DENIED, PARTLY = 2, 5, 4
# What is typed, its status, what is said of it, and what is not.
TYPED = (
    ("iscsiutil -t", USAGE, "-t needs <login-key> <login-val> ..., but none follows it", ""),
    ("iscsiutil -t headerdigest", USAGE, "needs a value, which is missing", ""),
    ("iscsiutil /dev/iscsi /dev/isw", USAGE, "unexpected word '/dev/isw'", "'/dev/iscsi'"),
    ("iscsiutil -u", USAGE, "but not what", ""),
    ("iscsiutil -p -S -1", USAGE, "-S -1: not a valid <ssn_inst>", "unknown option"),
    ("iscsiutil -t NOPInterval -5", USAGE, 'NOPInterval cannot be "-5"', "unknown option"),
    ("iscsiutil -a -I 192.0.2.1:5001", USAGE, "write -I 192.0.2.1 -P 5001", "IPv6"),
    ("iscsiutil -u --target-name ''", 0, "", "none follows it"),
    ("iscsiutil -u --help", 0, "-N <name>", "initiator-name"),
    ("iscsiutil --vers", 0, "iscsiutil (OpenISW)", ""),
    ("ioscan --vers", 0, "ioscan (OpenISW)", ""),
    ("iswd --vers", 0, "iswd (OpenISW)", ""),
    ("iscsi --version", 0, "OpenISW.iscsi_driverd", ""),
    ("iswd --status --stop", USAGE, "--status and --stop exclude each other", ""),
    ("iscsi_driverd --status --stop", USAGE, "exclude each other", ""),
    ("islpd -a -r", USAGE, "exclude each other", ""),
    ("islpd -a; islpd -a", 0, "will be started on boot", ""),
    ("iscsi status", 1, "islpd is not running, but should be: iscsi start", ""),
    ("islpd -r", 0, "", ""),
    ("iscsi nonsense", USAGE, "iscsi: unknown word \"nonsense\". Next: run 'iscsi --help' for what there is.", "usage:"),
    ("iscsi stop --phase 1", USAGE, "--phase 1 has no meaning with stop", ""),
    ("iscsi --json", USAGE, "--json has no meaning", ""),
    ("iscsi status --json >/dev/full", 1, "the output is not complete", "I/O error"),
    ("iscsiutil -l >/dev/full", 1, "No space left on device", ""),
    ("iscsiutil --events --since 2099-01-01", 0, "there is no such event", ""),
    ("ioscan -k -C tape", 0, "there is no such device in the system", ""),
    ("insf -C tape", 0, "no such device is known", ""),
    ("rmsf -a c0t0d0", USAGE, "unexpected word 'c0t0d0'", ""),
    ("iscsiutil -a -I '[::1]' --if-absent && iscsiutil -d -I ::1", 0, "", "error"),
    ("iscsidiag -t ./not/one", 1, "cannot be made", ""),
)


class Shell:
    def __init__(self, made):
        self.env = dict(made.env, PATH=os.path.dirname(made.program("iscsiutil")) + ":" + made.env.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))

    def __call__(self, line, nobody=False):
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if nobody else []
        return subprocess.run([*words, "sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=50, env=self.env, cwd=box.directory(), check=False)


def typed(t, sh):
    for line, status, said, unsaid in TYPED:
        with t.case("section 2: " + line):
            out = sh(line)
            # One line of a usage or of a sentence may be several.
            text = " ".join(out.stdout.split())
            assert out.returncode == status and said in text, out
            assert not unsaid or unsaid not in text, out


def helps(t, sh):
    with t.case("section 2: -h and --help are the same for every program, and fit 80 columns"):
        for name in ("iscsiutil", "ioscan", "insf", "rmsf", "iscsidiag", "iscsi", "iscsi_driverd", "iswd", "iscsi_resolvd", "islpd", "iradd",
                     "iscsi_holderd"):
            short, long = sh(name + " -h"), sh(name + " --help")
            assert short.stdout == long.stdout and short.returncode == long.returncode == 0, (name, short)
            wide = [row for row in long.stdout.splitlines() if len(row) > 79]
            assert not wide, (name, wide)


def names(t, made, sh):
    with t.case("section 2: why a host name is not resolved is said once"):
        made.start_daemon("iscsi_resolvd")
        out = sh("iscsiutil -a -I no-such-host.invalid && ioscan -H 255 >/dev/null; iscsiutil -d -I no-such-host.invalid")
        assert re.search(r"cannot resolve the host name no-such-host\.invalid: (?!cannot).*\. Next: ", out.stdout), out
        assert out.stdout.count("no-such-host.invalid") == 2 and out.stdout.count("cannot resolve") == 1, out


def keys(t, sh):
    with t.case("section 2: shells complete the login keys that there are"):
        said = re.search(r'there is no login key "nokey"; there are ([^.]*)\.', " ".join(sh("iscsiutil -t nokey 1").stdout.split())).group(1)
        with open(os.path.join(BUILD, "src", "tools", "completion", "iscsiutil"), encoding="utf-8") as f:
            offered = re.search(r'-t\) _iscsiutil_list "\$\(printf "%s\\n" ([^)]*)\)"', f.read()).group(1)
        assert sorted(said.split(", ")) == sorted(offered.split()), (said, offered)


def strangers(t, sh):
    with t.case("section 2: who may not is told so, with one status"):
        if os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        for line in ("iscsi_driverd --stop", "iscsi_driverd --status", "iscsi status", "iscsiutil -a -I 192.0.2.1", "insf -H 255", "ioscan -H 255",
                     "iscsiutil -c", "iscsiutil -b 3", "iscsiutil -n -S 0"):
            out = sh(line, nobody=True)
            assert out.returncode == DENIED and ".;" not in out.stdout, (line, out)
        assert sh("ioscan -k && iscsiutil -s", nobody=True).returncode == 0


def verbose(t, made, sh):
    with t.case("section 2: insf -v says where each of both device files leads"):
        out = sh("insf -v -H 255").stdout
        disk = made.disk("field", 0)
        assert "making %s -> %s\n" % (disk["rdsk"], disk["file"]) in out, out
        assert "making %s -> %s\n" % (disk["dsk"], disk["block"] or disk["file"]) in out, out


def events(t, made):
    with t.case("section 2: an event has the local time with its zone, and its level in a word"):
        env = dict(made.env, TZ="EST5")
        out = proc.run(made.program("iscsiutil"), "--events", env=env).out
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} -0500 (err|warn|note|info) \w+: ", out), out[:200]


def other_tools(t):
    with t.case("section 0, F15: a file of other tools with no valid name is an error in the log, and the name is another one"):
        made = Initiator("passed-over")
        path = made.path("etc", "iscsi", "initiatorname.iscsi")
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="utf-8") as f:
            f.write("InitiatorName=nonsense\n")
        with made:
            assert [line for line in made.tail() if " err: %s is passed over: it holds no valid initiator name" % path in line], made.tail()
            assert made.request("initiator.get")["name"].startswith("iqn.2026-11.org.openisw:")


def main():
    with tap.script() as t:
        other_tools(t)
        with FieldTarget([Unit(0)]) as target, field.world(t, target) as made:
            sh = Shell(made)
            typed(t, sh)
            helps(t, sh)
            names(t, made, sh)
            keys(t, sh)
            strangers(t, sh)
            verbose(t, made, sh)
            events(t, made)


main()
