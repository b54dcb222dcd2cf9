"""usage: test_units.py UNITS: the units say what ARCHITECTURE.md and iscsi(8) promise, and systemd takes them."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import tap  # noqa: E402 (found by the line above)

UNITS = sys.argv[1]
DAEMONS = ("iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd")
PROGRAMS = ("iscsi_driverd", "iscsi_holderd") + DAEMONS
# "systemd-analyze security" may say at most 3.0, but for those that must have no mount namespace.
EXPOSURE = {"iscsi_driverd.service": 4.7, "openisw-unmount.service": 5.1}
# Each of these gives a service a mount namespace of its own, in which its mounts stay.
NAMESPACING = """PrivateTmp PrivateDevices PrivateMounts ProtectSystem ProtectHome ProtectKernelTunables ProtectKernelModules
ProtectKernelLogs ProtectControlGroups ProtectProc ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths
TemporaryFileSystem BindPaths BindReadOnlyPaths RootDirectory RootImage DynamicUser MountFlags StateDirectory
MountAPIVFS""".split()


def parse(name):
    """{(section, key): [values]}; a repeated key adds, as systemd's lists do."""
    settings, section = {}, None
    for line in open(os.path.join(UNITS, name)):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        head = re.fullmatch(r"\[(\w+)\]", line)
        if head:
            section = head.group(1)
            continue
        key, equals, value = line.partition("=")
        assert equals and section, "%s: %s" % (name, line)
        settings.setdefault((section, key), []).append(value)
    return settings


def words(unit, section, key):
    return " ".join(unit.get((section, key), [])).split()


def one(unit, section, key):
    values = unit.get((section, key), [None])
    assert len(values) == 1, "%s= stands %d times" % (key, len(values))
    return values[0]


with tap.script() as t:
    units = {os.path.basename(p): parse(os.path.basename(p)) for p in glob.glob(os.path.join(UNITS, "*.service"))}
    metrics, notify = units.pop("openisw-metrics@.service"), units.pop("openisw-notify.service")
    reservations = units.pop("openisw-pr-helper.service")
    target = parse("openisw.target")

    with t.case("there is a unit for each program and for the scan, and the target wants them all"):
        names = {p + ".service" for p in PROGRAMS} | {"openisw-scan.service", "openisw-unmount.service"}
        assert set(units) == names, sorted(units)
        assert set(words(target, "Unit", "Wants")) == names, target
        for name in names:
            assert "openisw.target" in words(units[name], "Unit", "PartOf"), name + " does not stop with the target"
        # "systemctl enable openisw.target" is all, for nothing else can be enabled.
        assert words(target, "Install", "WantedBy") == ["multi-user.target"]
        assert not [name for name, unit in units.items() if any(section == "Install" for section, _ in unit)]

    with t.case("programs say themselves when they are ready, and each is started again by itself"):
        for p in PROGRAMS:
            unit = units[p + ".service"]
            assert one(unit, "Service", "Type") == "notify", p
            assert re.fullmatch(r"/\S+/%s --foreground" % p, one(unit, "Service", "ExecStart")), p
            assert one(unit, "Service", "Restart") == ("on-failure" if p == "iscsi_driverd" else "always"), p
            assert one(unit, "Unit", "StartLimitIntervalSec") == "0", p + " is given up after some failures"
            if p in DAEMONS:
                # Else the unit of one that was started by hand would fail for ever.
                assert re.fullmatch(r"\+/\S+/%s --stop" % p, one(unit, "Service", "ExecStartPre")), p
            # A daemon's end must not take the driver along, nor another daemon.
            for key in ("Requires", "BindsTo", "Requisite"):
                assert not words(unit, "Unit", key), "%s: %s=" % (p, key)

    with t.case("daemons that are started where they were asked for look at the file that says so"):
        rows = re.findall(r'^PATH_FILE\((\w+)_boot,\s*"([^"]+)"', open(os.path.join(TOP, "src", "sys", "paths.def")).read(), re.M)
        assert len(rows) >= 2, rows
        for name, path in rows:
            assert one(units[name + ".service"], "Unit", "ConditionPathExists") == "/" + path, name
        asked = {name for name, unit in units.items() if ("Unit", "ConditionPathExists") in unit}
        assert asked == {name + ".service" for name, _ in rows}, asked

    with t.case("the driver comes before remote file systems, the scan between it and them, and all after the network to stop"):
        for name, unit in units.items():
            assert "remote-fs-pre.target" in words(unit, "Unit", "Before"), name
            assert one(unit, "Unit", "DefaultDependencies") is None, name + " would not be stopped at shutdown"
        driver, scan = units["iscsi_driverd.service"], units["openisw-scan.service"]
        # An ordering target that nobody wants does not exist.
        assert "remote-fs-pre.target" in words(driver, "Unit", "Wants")
        assert "network.target" in words(driver, "Unit", "After")
        assert "network-online.target" not in words(driver, "Unit", "After"), "the first phase is before the network"
        for d in DAEMONS:
            assert "iscsi_driverd.service" in words(units[d + ".service"], "Unit", "After"), d
        # Whoever uses a disk waits for them.
        assert one(driver, "Service", "RestartSec") == one(units["iscsi_holderd.service"], "Service", "RestartSec") == "100ms"
        # What keeps disks outlives what shows them, and does not go with it.
        assert "iscsi_holderd.service" in words(driver, "Unit", "After") and "iscsi_holderd.service" in words(driver, "Unit", "Wants")
        assert "network-online.target" in words(scan, "Unit", "Wants")
        assert set(words(scan, "Unit", "After")) >= {p + ".service" for p in PROGRAMS} | {"network-online.target"}
        assert one(scan, "Service", "Type") == "oneshot"
        assert one(scan, "Service", "ExecStart").endswith("/ioscan -H 255")
        assert {"1", "4"} <= set(words(scan, "Service", "SuccessExitStatus")), "a missing target would fail the boot"

    with t.case("nothing gives the driver a mount namespace or takes its devices away"):
        for key in NAMESPACING + ["DevicePolicy", "DeviceAllow", "ProtectClock"]:
            for name in ("iscsi_driverd.service", "openisw-unmount.service"):
                assert ("Service", key) not in units[name], (name, key)
        assert "CAP_SYS_ADMIN" in words(units["iscsi_driverd.service"], "Service", "CapabilityBoundingSet")

    with t.case("what is on the disks is unmounted before anything stops that writing it out needs, within its limits"):
        last = units["openisw-unmount.service"]
        assert set(words(last, "Unit", "After")) == {p + ".service" for p in PROGRAMS}
        # A driver that died and is started again must not take its file systems along.
        for key in ("Requires", "BindsTo", "Requisite", "StopPropagatedFrom"):
            assert not words(last, "Unit", key), key
        assert ("Service", "ExecStart") not in last and one(last, "Service", "RemainAfterExit") == "yes"
        assert ("Service", "RestrictNamespaces") not in last, "it enters mount namespaces"
        for name, within in (("openisw-unmount.service", 300), ("iscsi_driverd.service", 50)):
            stop = one(units[name], "Service", "ExecStop")
            given = re.fullmatch(r"\+?/\S+/iscsi unmount(?: --within (\d+))?", stop)
            assert given and int(given.group(1) or 300) == within, stop
            # It ends by itself: the last it does, writing out, takes 5 seconds at most.
            assert int(one(units[name], "Service", "TimeoutStopSec")) > within + 5, name

    with t.case("reservations for guests are served by root without rights, and nobody starts that unasked"):
        assert words(reservations, "Service", "CapabilityBoundingSet") == []
        assert words(reservations, "Service", "RestrictAddressFamilies") == ["AF_UNIX"]
        assert re.search(r"/iscsiutil --pr-helper --root /$", one(reservations, "Service", "ExecStart"))
        assert "openisw-pr-helper.service" not in words(target, "Unit", "Wants")

    with t.case("metrics are for this host, each request is a program that may do nothing else, and nobody starts them unasked"):
        asked = parse("openisw-metrics.socket")
        assert set(words(asked, "Socket", "ListenStream")) == {"127.0.0.1:9869", "[::1]:9869"} and one(asked, "Socket", "Accept") == "yes"
        assert int(one(asked, "Socket", "MaxConnections")) <= 64 and "openisw-metrics.socket" not in words(target, "Unit", "Wants")
        assert one(metrics, "Service", "DynamicUser") == "yes" and words(metrics, "Service", "CapabilityBoundingSet") == []
        assert words(metrics, "Service", "RestrictAddressFamilies") == ["AF_UNIX"] and one(metrics, "Service", "RuntimeMaxSec")
        assert re.search(r"/iscsiutil -s --metrics --http ", one(metrics, "Service", "ExecStart"))

    with t.case("programs are told of events where there are some and somebody asked for it"):
        directory = one(notify, "Unit", "ConditionDirectoryNotEmpty")
        assert ("--notify %s " % directory) in one(notify, "Service", "ExecStart") and "openisw-notify.service" not in words(target, "Unit", "Wants")

    with t.case("the driver cannot make an internet socket, and the daemons cannot administer the system"):
        assert words(units["iscsi_driverd.service"], "Service", "RestrictAddressFamilies") == ["AF_UNIX"]
        for d in DAEMONS:
            unit = units[d + ".service"]
            assert not {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE"} & set(words(unit, "Service", "CapabilityBoundingSet")), d
            assert one(unit, "Service", "ProtectSystem") == "strict", d
            assert one(unit, "Service", "NoNewPrivileges") == "yes", d

    with t.case("each daemon has a user of its own to become"):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "openisw.sysusers")) as f:
            rows = [line.split()[:2] for line in f if line[0] in "ug"]
        with open(os.path.join(TOP, "src", "sys", "paths.def")) as f:
            ids = re.findall(r"^PATH_DAEMON\((\w+),", f.read(), re.M)
        assert len(ids) == len(DAEMONS), ids
        assert sorted(rows) == sorted([["u", "openisw-" + i] for i in ids] + [["g", "openisw"]]), rows

    with t.case("what the kernel may kill is not out of its reach, and each unit is as closed as it can be"):
        for p in PROGRAMS:
            assert int(one(units[p + ".service"], "Service", "OOMScoreAdjust")) > -1000, p
        if not shutil.which("systemd-analyze"):
            raise tap.Skip("systemd-analyze is not installed")
        with tempfile.TemporaryDirectory() as work:
            for name in [*units, "openisw-metrics@.service"]:
                path = os.path.join(work, name)
                with open(os.path.join(UNITS, name)) as old, open(path, "w") as new:
                    new.write(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", old.read(), flags=re.M))
                done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path],
                                      capture_output=True, text=True)
                found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
                if not found:
                    raise tap.Skip("this systemd-analyze looks at no files")
                assert float(found.group(1)) <= EXPOSURE.get(name, 3.0), (name, found.group(1))

    with t.case("systemd itself has nothing to say against them"):
        if not shutil.which("systemd-analyze"):
            raise tap.Skip("systemd-analyze is not installed")
        with tempfile.TemporaryDirectory() as work:
            # The programs and pages that the units name are looked for, too: those of the build stand in.
            for path in [os.path.join(UNITS, name) for name in os.listdir(UNITS) if re.fullmatch(r"\S+\.(service|socket|target)", name)]:
                text = open(path).read()
                text = re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", text, flags=re.M)
                text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
                with open(os.path.join(work, os.path.basename(path)), "w") as f:
                    f.write(text)
            done = subprocess.run(["systemd-analyze", "verify", *glob.glob(os.path.join(work, "*"))],
                                  capture_output=True, text=True, env=dict(os.environ, SYSTEMD_UNIT_PATH=work + ":"))
            mine = [line for line in (done.stdout + done.stderr).splitlines()
                    if any(name in line for name in list(units) + ["openisw"])]
            assert not mine, "\n".join(mine)
