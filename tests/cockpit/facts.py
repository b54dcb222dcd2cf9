"""The page of Cockpit, as far as it can be looked at without npm and a browser: what stands in two places says one thing."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc  # noqa: E402 (found by the line above)
import tap  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGE = os.path.join(TOP, "cockpit")
BUILD = os.environ["OPENISW_BUILD"]
TOOLS = ("iscsiutil", "ioscan", "insf", "rmsf")
LINES_MAX = 300
# Made up for every argument that a verb may have.
ARGUMENTS = {"address": "192.0.2.1", "port": 3260, "tpgt": 1, "session": 0, "target": "iqn.2001-04.com.example:x", "since": "7d", "key": "NOPTimeout",
             "values": ["5"], "method": "CHAP_BI", "name": "iqn.2001-04.com.example:me", "alias": "a", "secret": "s" * 16, "targetSecret": "t" * 16,
             "targetName": "t", "nasSecret": "n" * 16, "nas": "nas", "server": "radius", "level": "err", "scopes": "a,b", "path": "255/0/0.0.0.1",
             "force": True, "now": True, "targets": True}


def text(*words):
    with open(os.path.join(TOP, *words), encoding="utf-8") as f:
        return f.read()


def sources():
    return {os.path.relpath(p, PAGE): text(os.path.relpath(p, TOP)) for p in glob.glob(os.path.join(PAGE, "src", "*"))}


def verbs():
    """{verb: (program, answer, changes)} of the page's table."""
    rows = re.findall(r'^    (\w+): (look|change)\("(\w+)", (null|"\w+"),', text("cockpit", "src", "verbs.js"), re.M)
    assert len(rows) > 20, rows
    return {name: (program, answer.strip('"'), kind == "change") for name, kind, program, answer in rows}


def by_node(script):
    if not shutil.which("node"):
        raise tap.Skip("node is not installed")
    return json.loads(proc.run("node", "--input-type=module", "-e", script).out)


def command_lines(changes):
    """{verb: words} with all arguments there are, and {verb: words} with as few as there may be."""
    return by_node("import { commandLine, verbs } from 'file://%s/src/verbs.js'; const all = %s; const few = (v) => Object.fromEntries(Object.entries(all).filter(([k]) =>"
                   " !/force|now|targets|Secret|secret|targetName|tpgt/.test(k)));"
                   "console.log(JSON.stringify(Object.entries(verbs).filter(([, v]) => v.changes === %s).flatMap(([n, v]) => [[n, commandLine(n, all)], [n, commandLine(n, few(v))]])))"
                   % (PAGE, json.dumps(ARGUMENTS), json.dumps(changes)))


def members(schema):
    found = set()
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key == "properties":
            found |= set(value)
        if isinstance(value, (dict, list)):
            found |= members(value)
    return found


def path_without(name):
    """A directory with the few programs that a shell script needs, and without this one."""
    to = os.path.join(os.environ["OPENISW_BOX"], "bin")
    os.makedirs(to, exist_ok=True)
    for program in ("sh", "dirname", "mkdir"):
        if program != name and not os.path.exists(os.path.join(to, program)):
            os.symlink(shutil.which(program), os.path.join(to, program))
    return to


with tap.script() as t:
    with t.case("the lock file is in step with package.json, has no place to fetch from, and a checksum of everything"):
        package, lock = (json.loads(text("cockpit", name)) for name in ("package.json", "package-lock.json"))
        locked = lock["packages"]
        for kind in ("dependencies", "devDependencies"):
            assert locked[""].get(kind) == package[kind], kind
            for name, version in package[kind].items():
                assert re.fullmatch(r"\d+\.\d+\.\d+", version), (name, version)
                assert locked["node_modules/" + name]["version"] == version, name
        others = {name: entry for name, entry in locked.items() if name}
        assert all(e.get("integrity", "").startswith("sha512-") and "resolved" not in e for e in others.values()), \
            [n for n, e in others.items() if "resolved" in e or "integrity" not in e]
        assert {n for n in package["dependencies"]} <= {"@patternfly/patternfly", "@patternfly/react-core", "@patternfly/react-styles", "esbuild", "react", "react-dom"}

    with t.case("each option that the page's commands have is one of the program's"):
        for name, (program, _, _) in verbs().items():
            if program == "iscsi":
                continue
            known = set(re.findall(r"(?m)^OPT\(\w+, *'(\w)'", text("src", "tools", program, "opts.def"))) | \
                set(re.findall(r'(?m)^OPT\(\w+, *(?:0|\'\w\'), *"([\w-]+)"', text("src", "tools", program, "opts.def")))
            body = re.search(r"(?ms)^    %s: \w+\(.*?\),\n(?=    \w+:|\n|\};)" % name, text("cockpit", "src", "verbs.js")).group()
            used = re.findall(r'"--?([A-Za-z][\w-]*)"', body)
            assert set(used) <= known, (name, set(used) - known)

    for changes in (False, True):
        with t.case("each command that %s is written as its program wants it, whatever it is asked with" % ("changes something" if changes else "only looks")):
            lines = command_lines(changes)
            assert {n for n, _ in lines} == {n for n, v in verbs().items() if v[2] == changes}
            nowhere = os.path.join(os.environ["OPENISW_BOX"], "nowhere")
            for name, argv in lines:
                if argv[0] == "iscsi":
                    continue
                program = os.path.join(BUILD, "src", "tools", argv[0], argv[0])
                done = proc.run(program, *argv[1:], "--root", nowhere, stdin="a-secret-of-16-c\nanother-of-16-c\n", ok=None)
                # 3: no driver is there; what is written wrong is 2, before anybody is asked.
                assert done.code == 3, (name, done)

    with t.case("no secret is a word of a command"):
        lines = command_lines(True)
        for name, argv in lines:
            assert not {ARGUMENTS["secret"], ARGUMENTS["targetSecret"], ARGUMENTS["nasSecret"]} & set(argv), (name, argv)
        assert any(argv.count("-") == 2 for _, argv in lines), "none is asked for at all"

    with t.case("each answer that the page reads is one that the schema tells, and so is each member of it"):
        schema = json.loads(text("doc", "schema.json"))["definitions"]
        answers = {answer for _, answer, _ in verbs().values() if answer != "null"}
        assert answers <= set(schema), answers - set(schema)
        known = members(schema) | {"exit_status"}  # Cockpit's own
        for name, source in sources().items():
            if not name.endswith("css"):
                read = set(re.findall(r"\.([a-z]+(?:_[a-z0-9]+)+)\b", source)) | set(re.findall(r"\{ ([a-z]+(?:_[a-z0-9]+)+):", source))
                assert read <= known, (name, read - known)

    with t.case("programs are run in one place, and what somebody wrote is never markup"):
        for name, source in sources().items():
            assert not re.search(r"innerHTML|dangerouslySet|\beval\(|document\.write|new Function", source), name
            assert name == "src/call.js" or "cockpit.spawn" not in source, name
            for other in ("cockpit.file", "cockpit.http", "cockpit.script", "cockpit.channel"):
                assert other not in source, (name, other)
            # What opens a form or starts a scan is a control that knows who may.
            for at in re.finditer(r"open\(forms\.|=> scan\(\"", source):
                before = source[:at.start()]
                assert before.rfind("<Change") > max(before.rfind("<Button"), before.rfind("<button")) or "after: (v)" in before[-40:] \
                    or name == "src/forms.js", (name, source[at.start() - 80:at.end() + 20])

    with t.case("no source of the page is long"):
        for name, source in sources().items():
            assert source.count("\n") <= LINES_MAX, name

    with t.case("what is installed for Cockpit is the page's, and doc/ has its pictures"):
        manifest = json.loads(text("cockpit", "manifest.json"))
        assert set(manifest["menu"]) == {"index"} and os.path.exists(os.path.join(PAGE, "index.html"))
        shown = re.findall(r"\]\((cockpit/[\w-]+\.png)\)", text("doc", "cockpit.md"))
        there = {os.path.relpath(p, os.path.join(TOP, "doc")) for p in glob.glob(os.path.join(TOP, "doc", "cockpit", "*"))}
        assert shown and set(shown) == there, set(shown) ^ there
        for name in shown:
            with open(os.path.join(TOP, "doc", name), "rb") as f:
                head = f.read(24)
            assert head.startswith(b"\x89PNG\r\n\x1a\n") and os.path.getsize(os.path.join(TOP, "doc", name)) < 100000, name

    with t.case("the scripts of the page parse, and cockpit/build says what is missing"):
        done = subprocess.run(["sh", os.path.join(PAGE, "build"), os.path.join(os.environ["OPENISW_BOX"], "to")], capture_output=True, text=True,
                              env={"PATH": path_without("node")})
        assert done.returncode == 1 and "Next: install nodejs and npm" in done.stderr, done
