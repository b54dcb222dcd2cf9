"""The packages, as somebody meets them who has nothing else: built from this checkout, looked at, installed in a clean Debian,
used, upgraded while a disk is written to, removed.  Packages of Debian are fetched, so this runs where it is asked for only
(./check --packages).  OPENISW_PACKAGES in the environment: a directory with what was built before, which is tried instead."""
import glob
import os
import re
import shutil

import box
import proc
import tap
from built import Built, build, release
from place import Place, mirror, suite

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOLS = ("dpkg-buildpackage", "dh", "lintian", "debootstrap", "autopkgtest", "piuparts", "rpmbuild", "rpmlint")
# The network is wanted: no namespace of its own for it.
box.NAMESPACES = [word for word in box.NAMESPACES if word != "--net"]


def listed(deb):
    """The files of a package."""
    rows = [line.split(None, 5) for line in proc.run("dpkg-deb", "-c", deb).out.splitlines()]
    return {row[5].split(" -> ")[0].lstrip(".") for row in rows if not row[0].startswith("d")}


def looked_at(t, built):
    with t.case("lintian finds neither errors nor warnings", limit=620):
        argv = ["lintian", "--fail-on", "error,warning"] + (["--allow-root"] if os.geteuid() == 0 else [])
        done = proc.run(*argv, built.file("*.changes"), limit=600, ok=None)
        assert done.code == 0 and not re.search(r"^[EW]:", done.out, re.M), done
    with t.case("each program has its manual page, and what an administrator may change is kept"):
        files = listed(built.file("openisw_*.deb"))
        programs = [f for f in files if f.startswith("/usr/sbin/")]
        assert len(programs) == 14, programs
        for program in programs:
            assert "/usr/share/man/man8/%s.8.gz" % os.path.basename(program) in files, program
        info = proc.run("dpkg-deb", "-I", built.file("openisw_*.deb"), "conffiles").out.split()
        assert sorted(info) == sorted(f for f in files if f.startswith("/etc/")), info
    with t.case("the page of Cockpit is all that its package has, whole, and without a name of where its parts came from"):
        tree = os.path.join(box.directory(), "cockpit")
        proc.run("dpkg-deb", "-x", built.file("openisw-cockpit_*.deb"), tree)
        own = {f for f in listed(built.file("openisw-cockpit_*.deb")) if not f.startswith("/usr/share/doc/")}
        names = {os.path.basename(f) for f in own}
        assert all(f.startswith("/usr/share/cockpit/openisw/") for f in own) and {"index.html", "manifest.json", "page.js", "page.css"} <= names, own
        depends = proc.run("dpkg-deb", "-f", built.file("openisw-cockpit_*.deb"), "Architecture", "Depends").out
        assert "Architecture: all" in depends and "cockpit-bridge" in depends and "openisw (>= %s)" % release() in depends, depends
        with open(os.path.join(tree, "usr/share/cockpit/openisw/page.css")) as f:
            fonts = set(re.findall(r"url\(\"?\./([\w.-]+)", f.read()))
        assert fonts and fonts <= names, fonts - names
    with t.case("the documents are where their names for each other lead"):
        tree = os.path.join(box.directory(), "doc")
        proc.run("dpkg-deb", "-x", built.file("openisw-doc_*.deb"), tree)
        readme = os.path.join(tree, "usr/share/doc/openisw/README.md")
        with open(readme) as f:
            names = re.findall(r"\]\(([^):]+)\)", f.read())
        assert names, "README.md leads nowhere"
        missing = [n for n in names if not os.path.exists(os.path.join(os.path.dirname(readme), n))]
        assert not missing, missing


def autopkgtest(t, place, built):
    source = os.path.join(box.directory(), "source")
    shutil.copytree(os.path.join(TOP, "debian"), os.path.join(source, "debian"))
    summary = os.path.join(box.directory(), "summary")
    script = 'mount -t proc proc /proc && mount -t proc proc "$1/proc" && shift && exec "$@"'
    with t.case("debian/tests pass in a clean Debian", limit=800):
        done = proc.run("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", place.dir,
                        "autopkgtest", "-B", "--summary-file", summary, built.file("openisw_*.deb"), built.file("openisw-cockpit_*.deb"), source, "--", "chroot", place.dir,
                        limit=790, ok=None)
        with open(summary) as f:
            rows = [line.split()[:2] for line in f if line.strip()]
        with open(os.path.join(TOP, "debian", "tests", "control")) as f:
            names = re.findall(r"^Tests: (.*)$", f.read(), re.M)
        assert rows == [[name, "PASS"] for name in names], done
        assert done.code == 0, done


def used(t, place, built):
    """In the place, which has what the package depends on and nothing of it."""
    clean = place.files()
    shutil.copytree(os.path.join(TOP, "debian", "tests"), place.path("package-test/tests"))
    for source, name in ((os.path.join(HERE, "upgrade.sh"), "tests/upgrade.sh"), (built.older(), "old.deb"),
                         (built.file("openisw_*.deb"), "new.deb")):
        shutil.copy(source, place.path("package-test", name))
    command = "sh /package-test/tests/upgrade.sh /package-test/old.deb /package-test/new.deb"

    def left():
        found = place.files()
        assert found == clean, "left: %s; lost: %s" % (sorted(found - clean)[:50], sorted(clean - found)[:50])

    autopkgtest(t, place, built)
    with t.case("after that nothing is left of it"):
        left()
    with t.case("piuparts passes them", limit=800):
        done = proc.run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "piuparts", "-t", box.directory(),
                        "-d", suite(), "-m", mirror() + " main", "--no-eatmydata", "--existing-chroot", place.dir,
                        built.file("openisw_*.deb"), built.file("openisw-doc_*.deb"), limit=790, ok=None)
        assert done.code == 0 and "PASS: All tests." in done.out, "\n".join(re.findall(r".*(?:ERROR|FAIL|WARN).*(?:\n .*)*", done.out))
    with t.case("an upgrade and a removal do nothing to a disk in use", limit=200):
        done = place.run("sh", "-c", "ip link set lo up && " + command, limit=190, ok=None, net=False)
        assert done.out.endswith("all of it held\n"), done
        t.comment(done.out)
    with t.case("purged, nothing is left of it"):
        left()
    with t.case("nor do they where systemd runs, which starts the new release when no disk is in use", limit=300):
        out = place.boot(command)
        assert "\nall of it held\n" in out, out
        t.comment(out)
    with t.case("purged while systemd runs, nothing is left of it"):
        left()


def for_rpm(t, place, built):
    """The packages for rpm.  Debian has no system with rpm to install them in: the place stands in for one."""
    to = os.path.join(box.directory(), "rpm")
    with t.case("dist/build-rpm makes them, too", limit=1600):
        build("build-rpm", "--no-check", "--output", to)
        names = sorted(os.listdir(to))
        packages = [os.path.join(to, n) for n in names if n.endswith(".rpm") and not n.endswith(".src.rpm")]
        assert len(packages) == 3 and all("-%s-1." % release() in n for n in packages), names
    with t.case("rpmlint finds nothing but what rpmlint.toml has a reason for"):
        done = proc.run("rpmlint", "-c", os.path.join(HERE, "rpmlint.toml"), *packages, os.path.join(to, "openisw.spec"), ok=None)
        assert "0 errors, 0 warnings" in done.out, done
    with t.case("both kinds have the same files"):
        rpm = {re.sub("^/usr/lib/(systemd/system|udev)/", r"/lib/\1/", f) for f in proc.run("rpm", "-qpl", packages[0]).out.split()}
        deb = {re.sub(r"(/man\d/.*)\.gz$", r"\1", f) for f in listed(built.file("openisw_*.deb"))}
        own = re.compile(r"/usr/share/(doc|licenses|lintian)/|/etc/needrestart/|/(etc|usr/share)/openisw(/notify)?$|/usr/lib/\.build-id|/usr/share/zsh/")
        assert {f for f in rpm ^ deb if not own.match(f)} == set(), rpm ^ deb
    with t.case("rpm installs it with its users, and takes it away again"):
        proc.run("rpm", "--root", place.dir, "--nodeps", "-i", packages[0])
        assert re.search(r"^OpenISW +%s " % re.escape(release()), place.run("iscsi", "--version").out, re.M)
        place.run("id", "openisw-iswd")
        proc.run("rpm", "--root", place.dir, "-e", "openisw")
        assert place.run("sh", "-c", "command -v iscsi", ok=None).out == ""


def main():
    with tap.script() as t:
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        if missing or not box.isolated():
            raise tap.Skip("root and %s are needed" % ", ".join(missing or ["namespaces"]))
        built = None
        with t.case("dist/build-deb makes the packages of this release from the checkout", limit=1600):
            built = Built()
            names = {os.path.basename(f).split("_")[0] for f in glob.glob(built.dir + "/*.deb")}
            assert names == {"openisw", "openisw-cockpit", "openisw-doc", "openisw-dbgsym"}, names
            fields = proc.run("dpkg-deb", "-f", built.file("openisw_*.deb"), "Version", "Depends").out
            assert fields.startswith("Version: %s\n" % release()), fields
        if built is None:
            return
        looked_at(t, built)
        depends = proc.run("dpkg-deb", "-f", built.file("openisw_*.deb"), "Depends").out.strip()
        place = Place()
        with t.case("all that it depends on is in Debian", limit=1500):
            place.make(depends, "tgt", "e2fsprogs", "mount", "iproute2", "cockpit-bridge", "cockpit-ws", "curl", "dpkg-dev", "apt-utils")  # the last two: autopkgtest
        if os.path.exists(place.path("package-test/made")):
            used(t, place, built)
            for_rpm(t, place, built)


main()
