"""What can be seen of the packages without building them: nothing that stands in two places says two things."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import box  # noqa: E402 (found by the line above)
import tap  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ["OPENISW_BUILD"]
ESSENTIAL = {"gcc", "libc6-dev"}             # of build-essential, which no package names
OF_DEBHELPER = {"debhelper-compat", "dh-sequence-installsysusers"}
SCRIPTS = ("postinst", "prerm", "postrm")


def text(*words):
    with open(os.path.join(TOP, *words)) as f:
        return f.read()


def field(name):
    """The words of a field of debian/control's source stanza, without versions."""
    value = re.search(r"(?m)^%s:((?:.*\n)(?: .*\n)*)" % name, text("debian", "control")).group(1)
    return {re.sub(r"[ (\[<:].*", "", word.strip()) for word in value.replace("\n", " ").split(",") if word.strip()}


def listed(*groups):
    rows = [line.split("\t") for line in text("dist", "packages.txt").splitlines() if not line.startswith("#")]
    return {row[1] for row in rows if row[0] in groups}


def sh(script):
    done = subprocess.run(["bash", "-c", "set -eu; . dist/checkout.sh; " + script], cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def users():
    rows = [line.split()[:2] for line in text("dist", "systemd", "openisw.sysusers").splitlines() if line[:1] in "ug"]
    return {name for _, name in rows if name}


def release():
    return re.search(r"^  version: '(.*)',$", text("meson.build"), re.M).group(1)


with tap.script() as t:
    with t.case("the release is meson.build's, and the changelog begins with it"):
        first = re.match(r"openisw \((\S+)\) \S+; urgency=\w+\n", text("debian", "changelog"))
        assert first and first.group(1) == release(), first
        assert sh("checkout_version") == release()
        # Nobody else has a number of his own.
        assert re.findall(r"(?m)^Version:\s*(.*)$", text("dist", "openisw.spec.in")) == ["@VERSION@"]

    with t.case("nothing is built of a release that the changelog does not have"):
        if not shutil.which("dpkg-parsechangelog"):
            raise tap.Skip("dpkg-dev is not installed")
        tree, out = (os.path.join(box.directory(), name) for name in ("tree", "out"))
        os.mkdir(tree)
        sh("checkout_copy '%s'" % tree)
        with open(os.path.join(tree, "meson.build"), "w") as f:
            f.write(text("meson.build").replace("version: '%s'" % release(), "version: '99.0'", 1))
        done = subprocess.run([os.path.join(tree, "dist", "build-deb"), "--no-install", "--output", out], capture_output=True, text=True)
        assert done.returncode == 1 and "99.0" in done.stderr and not os.listdir(out), done

    with t.case("what is made between two releases is newer than the one and older than the other"):
        if not shutil.which("dpkg"):
            raise tap.Skip("dpkg is not installed")
        between = release() + "+" + sh("checkout_snapshot")
        following = re.sub(r"\d+$", lambda m: str(int(m.group()) + 1), release())
        for older, newer in ((release(), between), (between, following)):
            assert subprocess.run(["dpkg", "--compare-versions", older, "lt", newer]).returncode == 0, (older, newer)

    with t.case("the packages are built with what ./check builds with"):
        needed = field("Build-Depends") - OF_DEBHELPER
        assert needed - {"python3"} <= listed("build", "package"), needed - listed("build", "package")
        assert listed("build") - ESSENTIAL <= needed, listed("build") - needed
        found = set()
        for path in glob.glob(os.path.join(TOP, "**", "meson.build"), recursive=True):
            with open(path) as f:
                found |= set(re.findall(r"dependency\('([\w-]+)'", f.read()))
        spec = set(re.findall(r"(?m)^BuildRequires: *pkgconfig\((\S+)\)$", text("dist", "openisw.spec.in")))
        assert spec == found - {"threads"}, spec ^ found

    with t.case("what is installed is in a package, for both kinds"):
        with open(os.path.join(BUILD, "meson-info", "intro-installed.json")) as f:
            places = json.load(f).values()
        with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json")) as f:
            prefix = next(o["value"] for o in json.load(f) if o["name"] == "prefix")
        debian = [line.split()[0] for name in glob.glob(os.path.join(TOP, "debian", "*.install")) for line in text(name).splitlines()]
        spec = text("dist", "openisw.spec.in")
        # Built where it is asked for only, so it may not be among them.
        places = list(places) + [os.path.join(prefix, "share", "cockpit", "openisw")]
        kinds = {"cockpit": "%{_datadir}/cockpit/openisw\n", "gdb": "%{_datadir}/gdb/auto-load%{_sbindir}/*", "sbin": "%{_sbindir}/*", "man": "%{_mandir}/man*/*", "systemd": "%{_unitdir}/", "sysusers.d": "%{_sysusersdir}/",
                 "udev": "%{_prefix}/lib/udev/", "bash-completion": "%{_datadir}/bash-completion/", "zsh": "%{_datadir}/zsh/", "fish": "%{_datadir}/fish/",
                 "openisw": "%{_datadir}/openisw\n"}
        seen = set()
        for place in places:
            where = os.path.relpath(place, prefix)
            kind = next((k for k in kinds if "/%s/" % k in "/" + where), None)
            assert kind, "%s is of no kind that the packages have" % where
            seen.add(kind)
            assert kinds[kind] in spec, where
            ours = {"systemd": "lib/systemd/system", "udev": "lib/udev"}.get(kind, "usr/" + where)
            assert any(ours == d or ours.startswith(d + "/") for d in debian), where
        assert {"sbin", "man"} <= seen, seen

    with t.case("purged, the users go that were made, and every directory that the programs make"):
        purge = text("debian", "openisw.postrm")
        named = set(re.findall(r"\bopenisw(?:-\w+)?\b(?= |;|$)", re.search(r"for user in (.*); do", purge).group(1)))
        named |= set(re.findall(r"groupdel (\w+)", purge))
        assert named == users(), named ^ users()
        paths = text("src", "sys", "paths.def")
        made = ["/" + p for p in re.findall(r'^PATH_DIR\(\w+, *"([^"]+)"', paths, re.M)] + ["/dev/iscsi", "/dev/isw"]
        taken = set(re.findall(r"(?<![\w/])/[\w/]+", purge))
        assert len(made) > 6, made
        for path in set(made) - {"/dev"}:
            above = {path[:i] for i in range(1, len(path) + 1) if path[i:i + 1] in ("", "/")}
            assert above & (taken - {"/dev"}), path

    with t.case("the scripts of the package parse, end at the first failure, and have debhelper's part"):
        for name in SCRIPTS:
            script = text("debian", "openisw." + name)
            assert script.startswith("#!/bin/sh\n") and "\nset -e\n" in script and "\n#DEBHELPER#\n" in script, name
            done = subprocess.run(["sh", "-n", os.path.join(TOP, "debian", "openisw." + name)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    with t.case("each test of the package is there and can be run"):
        names = set(re.findall(r"(?m)^Tests: (.*)$", text("debian", "tests", "control")))
        runnable = {n for n in os.listdir(os.path.join(TOP, "debian", "tests")) if os.access(os.path.join(TOP, "debian", "tests", n), os.X_OK)}
        assert names and names == runnable, names ^ runnable

    with t.case("islpd.conf, iisnsd.conf and iradd.conf show each word that their daemons know, and both kinds of packages have them"):
        for daemon, macro, table in (("islpd", "CONFIG", "config.def"), ("iisnsd", "IISNSDCONF", "iisnsdconf.def"), ("iradd", "RADDCONF", "raddconf.def")):
            words = re.findall(r'(?m)^%s\(\w+, *"([^"]+)"' % macro, text("src", daemon, table))
            shown = re.findall(r"(?m)^# ([\w-]+) \S+  ", text("dist", daemon + ".conf"))
            assert words and shown == words, (words, shown)
            assert "dist/%s.conf etc/openisw\n" % daemon in text("debian", "openisw.install")
            assert "%%{_sysconfdir}/openisw/%s.conf\n" % daemon in text("dist", "openisw.spec.in")

    with t.case("each program that is installed is completed by each shell"):
        with open(os.path.join(BUILD, "meson-info", "intro-installed.json")) as f:
            installed = json.load(f).values()
        names = {kind: {re.sub(r"^_|\.fish$", "", os.path.basename(p)) for p in installed if "/%s/" % kind in p and "/gdb/" not in p}
                 for kind in ("sbin", "bash-completion", "zsh", "fish")}
        assert len(names["sbin"]) >= 12 and all(programs == names["sbin"] for programs in names.values()), names

    with t.case("'iscsi --version' has a line for each program that is installed"):
        words = re.findall(r"(?m)^(?:HOLDER|DAEMONS|TOOLS)='?([^'\n]+)'?$", text("dist", "iscsi"))
        shown = ["iscsi_driverd"] + " ".join(words).split()
        assert len(words) == 3 and sorted(shown) == sorted(names["sbin"] - {"iscsi"}), names["sbin"] ^ set(shown)
        assert re.findall(r"(?m)^OpenISW\.(\S+) ", text("doc", "troubleshooting.md")) == shown

    with t.case("needrestart leaves the driver and what would take it along alone, and nothing else"):
        if not shutil.which("perl"):
            raise tap.Skip("perl is not installed")
        code = ("our %nrconf; eval(join '', <STDIN>); die $@ if $@;"
                "for my $unit (@ARGV) { print \"$unit\\n\" if grep { $unit =~ /$_/ && !$nrconf{override_rc}{$_} } keys %{$nrconf{override_rc}} }")
        units = sorted(re.sub(r"\.in$", "", n) for n in os.listdir(os.path.join(TOP, "dist", "systemd")) if ".service" in n or ".target" in n)
        done = subprocess.run(["perl", "-e", code] + units, input=text("debian", "needrestart", "openisw.conf"), capture_output=True, text=True)
        assert done.stdout.split() == ["iscsi_driverd.service", "openisw-scan.service", "openisw-unmount.service", "openisw.target"], done
