"""The page as an administrator uses it, at a desktop's and a phone's width: add, log in, break, read the explanation, mend, take away."""
import os

import field
import look
import proc
import tap
from tgt import Tgt

SECRET = "a-secret-of-16-c"
NAME = "iqn.2026-11.org.example:disks"


def hang_up(target, tid):
    """Its sessions lose their connections."""
    out = target.adm("conn", "show", tid=tid).out
    session = cid = None
    for line in out.splitlines():
        word, _, number = line.strip().partition(": ")
        if word == "Session":
            session = number
        elif word == "Connection" and session:
            cid = number
            target.adm("conn", "delete", tid=tid, sid=session, cid=cid)
    assert cid is not None, out


def added(t, page, target, where):
    with t.case("%s: a discovery address is added, and its target's session and disks are there" % where):
        assert "add a discovery address" in look.health(page, "info")
        page.click("button", "Add a discovery address…")
        page.type("textbox", "Address", target.host)
        page.type("textbox", "TCP port", str(target.port))
        page.click("button", "Add")
        look.no_dialog(page)
        assert "1 session online" in look.scanned(page)
        assert "1 of 1 session online" in look.health(page, "success")
        look.show(page, "targets")
        page.wait_text(NAME)
        page.element("rowheader", "%s:%d" % (target.host, target.port), exact=False)
        look.fits(page)
    with t.case("%s: its disk gets device files, is used, and its latency is drawn and told" % where):
        look.show(page, "overview")
        page.click("button", "Make device files of 1 disk…")
        page.click("button", "Make them")
        look.no_dialog(page)
        look.show(page, "units")
        page.wait_text("32 MiB")
        page.wait_text("c0t0d1")


def used(t, page, made, where):
    with t.case("%s: input and output is told as a picture and as words" % where):
        # Two looks of the page, with something to see between them.
        page.wait("a look at the disk", "!!document.querySelector('[data-unit=c0t0d1]')")
        path = made.path("dev", "rdsk", "c0t0d1")

        def io():
            field.read(path, length=65536).good(10)
            field.write(path, 0, field.block("x")).good(10)
            return page.run("document.querySelectorAll('[data-unit=c0t0d1] .openisw-chart > svg circle').length") >= 6
        proc.wait_for("the chart", io, limit=30, every=0.3)
        said = page.run("document.querySelector('[data-unit=c0t0d1] .openisw-chart > svg').getAttribute('aria-label')")
        assert said.startswith("Latency of c0t0d1: reads: last ") and "writes: last " in said, said
        look.fits(page)
        look.picture(page, "units-" + where.split()[-1])


def broken(t, page, target, tid, where):
    with t.case("%s: a target that wants a secret now is what is wrong, with why and what to do" % where):
        target.adm("account", "new", user="me", password=SECRET)
        target.adm("account", "bind", tid=tid, user="me")
        hang_up(target, tid)
        assert "needs attention" in look.health(page, "warning", 50) or "need attention" in page.text()
        page.wait("the reason", "document.querySelector('[data-trouble]')?.innerText.includes('authentication failed')")
        told = page.run("document.querySelector('[data-trouble]').innerText")
        assert "Next: compare the authentication method, the CHAP name and the secret" in told and NAME in told, told
        look.fits(page)
        look.picture(page, "trouble-" + where.split()[-1])
    with t.case("%s: the event says what it means, in local time, and the next step" % where):
        look.show(page, "events")
        page.choose("Level", "3")
        page.wait("an event", "document.querySelectorAll('[data-event]').length > 0")
        page.wait_text("authentication")
        zone = page.run("Intl.DateTimeFormat().resolvedOptions().timeZone")
        assert zone == "Europe/Berlin", zone
        shown = page.run("(() => { const t = document.querySelector('[data-event] time'); return [t.dateTime, t.innerText]; })()")
        assert shown[0].endswith("Z") and shown[0][11:13] not in shown[1].split(",")[-1].split(":")[0], shown
        page.click("button", "What it means, and what to do")
        page.wait("the explanation", "document.querySelector('[data-event]').innerText.includes('Next:')")
        look.fits(page)
        look.picture(page, "events-" + where.split()[-1])


def mended(t, page, where):
    with t.case("%s: with the secret all is well again, and no command line, text or field has it" % where):
        look.show(page, "targets")
        page.click("button", "Credentials…")
        page.type("textbox", "CHAP name", "me")
        page.type("textbox", "CHAP secret", SECRET)
        page.wait("the button", "!document.getElementById('dialog-do').disabled")
        look.picture(page, "credentials-" + where.split()[-1])
        page.click("button", "Save")
        look.no_dialog(page)
        look.health(page, "success", 60)
        assert any("-W" in argv for argv in look.spawned(page)), look.spawned(page)
        assert SECRET not in str(look.spawned(page)) + page.text() + page.run("document.documentElement.outerHTML")
        look.picture(page, "overview-" + where.split()[-1])


def in_use(t, page, made, where):
    with t.case("%s: a disk in use keeps its session, its user is named; logged out by force, logged in again" % where):
        with open(made.path("dev", "rdsk", "c0t0d1"), "rb"):
            look.show(page, "targets")
            page.click("button", "Log out…")
            page.click("button", "Log out")
            page.wait("the refusal", "!!document.querySelector('[role=dialog] [data-problem=BUSY]')")
            told = page.run("document.querySelector('[role=dialog] [data-problem=BUSY]').innerText")
            assert "c0t0d1" in told and "process %d" % os.getpid() in told and "Next: " in told, told
            page.click("checkbox", "Do it all the same", exact=False)
            page.click("button", "Log out")
            look.no_dialog(page)
        page.wait_text("logged out")
        page.click("button", "Log in")
        assert "1 session online" in look.scanned(page)
        page.wait("the session", "!!document.querySelector('[data-target] [aria-expanded]')")


def taken_away(t, page, made, where):
    with t.case("%s: a setting is made for a target and taken away again, and each says where it comes from" % where):
        look.show(page, "settings")
        page.choose("What is configured for", "t " + NAME)
        page.click("button", "Change HeaderDigest")
        page.type("textbox", "Value", "CRC32C None")
        page.click("button", "Save")
        look.no_dialog(page)
        target, = made.request("target.list")["targets"]
        assert target["header_digest"] == ["CRC32C", "None"], target
        look.fits(page)
        page.click("button", "Take HeaderDigest away")
        page.click("button", "Take away")
        look.no_dialog(page)
        target, = made.request("target.list")["targets"]
        assert "HeaderDigest" not in target["configured"] and target["header_digest"] == ["None", "CRC32C"], target
    with t.case("%s: what was added is removed, with its targets" % where):
        look.show(page, "discovery")
        page.click("button", "Remove ", exact=False)
        page.click("checkbox", "Also remove the targets", exact=False)
        page.click("button", "Remove")
        look.no_dialog(page)
        assert "add a discovery address" in look.health(page, "info")
        assert made.request("target.list")["targets"] == []
    with t.case("%s: and the page itself made no error" % where):
        assert not page.errors, page.errors


def main():
    with tap.script() as t:
        for where, width, height in look.WIDTHS:
            with look.world(t) as (made, opened), Tgt("tgt-" + where.split()[-1]) as target:
                t.show_on_failure(target)
                tid = target.target("disks")
                target.lun(tid, 1)
                page = opened(width, height)
                added(t, page, target, where)
                used(t, page, made, where)
                broken(t, page, target, tid, where)
                mended(t, page, where)
                in_use(t, page, made, where)
                taken_away(t, page, made, where)


main()
