"""What the page keeps whatever happens: who may not change sees why and changes nothing; what strangers wrote is text; it is used by
keyboard and told to a screen reader; every part is free of what axe-core finds; it says what the programs say."""
import json
import os

import field
import look
import net
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit

RTL = "\u202eהדיסק של\u202c "
ALIAS = RTL + "<img src=x onerror=window.hacked=1><script>window.hacked=2</script>&amp;" + "W" * 100
SERIAL = b"<b onclick=hacked()>" + b"S" * 100
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cockpit", "src", "verbs.js")


def looking_only():
    """The first words of each command that only looks, as the page's table has them."""
    script = "import('file://%s').then((m) => console.log(JSON.stringify(Object.values(m.verbs).filter((v) => !v.changes).map((v) =>" \
        " [v.program, ...v.words({ session: 0, since: 's' })]))))" % TABLE
    found = json.loads(proc.run("node", "--input-type=module", "-e", script).out)
    assert len(found) > 4, found
    return [[word for word in words if word not in ("0", "s")] for words in found]


def filled(made, target):
    """An initiator with all that the page can show: a target with units, one gone, one without files, an address that is dead."""
    made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
    made.command("iscsiutil", "-a", "-I", "127.0.0.1", "-P", net.free_port())
    made.command("ioscan", "-H", "255", ok=None)
    made.command("insf", "-H", "255/0/0.0.0.0")


def may_not(t):
    with look.world(t, user="nobody") as (made, opened), FieldTarget([Unit(0), Unit(1, "B")]) as target:
        filled(made, target)
        page = opened()
        with t.case("who may not change is told so, and each control that changes something says why it does not"):
            assert page.run("document.querySelector('[data-may]').dataset.may") == "false"
            assert page.run("document.getElementById('why-not').innerText").count("administrative access")
            seen = set()
            for view in look.VIEWS:
                look.show(page, view)
                controls = page.run("[...document.querySelectorAll('[data-change]')].map((e) => [e.innerText || e.getAttribute('aria-label'),"
                                    " e.getAttribute('aria-disabled'), e.getAttribute('aria-describedby')])")
                wrong = [c for c in controls if c[1] != "true" or "why-not" not in (c[2] or "")]
                assert not wrong, (view, wrong)
                seen |= {c[0] for c in controls}
            assert {"Scan", "Credentials…", "Log out…", "Change…", "Make device files…", "Remove device files…"} <= seen, seen
        with t.case("whatever else he clicks and types, no command that changes something is run"):
            may = looking_only()
            for view in look.VIEWS:
                look.show(page, view)
                page.run("""(async () => { const done = new Set(); for (let turn = 0; turn < 200; turn++) {
                    const next = [...document.querySelectorAll('main button, main a, main summary, main input, main select, [role=dialog] button')].find((e) => !done.has(e)
                        && e.getAttribute('role') !== 'tab');
                    if (!next) return; done.add(next); next.click(); await new Promise((r) => setTimeout(r, 0)); } })()""")
            calls = look.spawned(page)
            odd = [argv for argv in calls if not any([w for w in argv if not w.isdigit() and w not in ("--json", "7d")] == words for words in may)]
            assert calls and not odd, odd
            assert not page.run("!!document.querySelector('[role=dialog]')")
            assert len(made.request("target.list")["targets"]) == 1 and len(made.request("discovery.list")["targets"]) == 2
        with t.case("what he may not see is said in the program's own words"):
            look.show(page, "events")
            refused = json.loads(proc.run(made.program("iscsiutil"), "--events", "--json", env=made.env, user="nobody", ok=None).err)["error"]
            assert refused["message"] in page.text() and refused["next"] in page.text(), page.text()


def hostile(t, made, opened, target):
    for where, width, height in look.WIDTHS:
        page = opened(width, height)
        with t.case("%s: names, aliases and units of a hostile target are text, whole, and as wide as the screen" % where):
            for view in look.VIEWS:
                look.show(page, view)
                look.fits(page)
                if view == "targets":
                    assert page.run("[...document.querySelectorAll('h2')].some((e) => e.textContent.includes(%s))" % json.dumps("<img src=x")), page.text()
                if view == "units":
                    page.wait("the serial number", "document.body.textContent.includes('<b onclick=hacked()>')")
            assert not page.run("!!window.hacked || !!document.querySelector('main img, main script, main b')")
            assert not page.errors, page.errors
        with t.case("%s: axe-core finds nothing in any part" % where):
            found = []
            for view in look.VIEWS:
                look.show(page, view)
                found += ["%s: %s" % (view, v) for v in look.axe(page)]
            assert not found, "\n".join(found)
        with t.case("%s: nor in a dialog, nor in the dark" % where):
            look.show(page, "targets")
            page.click("button", "Credentials…")
            page.element("textbox", "CHAP name")
            found = look.axe(page)
            page.key("Escape")
            look.no_dialog(page)
            page.run("window.dispatchEvent(new CustomEvent('cockpit-style', { detail: { style: 'dark' } }))")
            page.wait("the dark", "document.documentElement.classList.contains('pf-v6-theme-dark')")
            found += look.axe(page)
            page.run("window.dispatchEvent(new CustomEvent('cockpit-style', { detail: { style: 'light' } }))")
            assert not found, "\n".join(found)


def by_keyboard(t, made, opened):
    page = opened()
    with t.case("by keyboard alone: a tab, a dialog, what it refuses, and the focus is where it was"):
        for _ in range(20):
            page.key("Tab")
            if page.focused()[0] == "tab":
                break
        assert page.focused() == ("tab", "Overview"), page.focused()
        for name in ("Targets", "Units", "Discovery"):
            page.key("Tab") if page.run("document.activeElement.getAttribute('role') !== 'tab'") else None
            page.key("ArrowRight")
            if page.focused() != ("tab", name):
                page.key("Tab")
            assert page.focused() == ("tab", name), (name, page.focused())
        page.key("Enter")
        page.wait("the part", "!!document.querySelector('[data-view=discovery]')")
        for _ in range(20):
            page.key("Tab")
            if page.focused() == ("button", "Add a discovery address…"):
                break
        page.key("Enter")
        page.wait("the dialog", "document.activeElement.id === 'field-address'")
        page.call("Input.insertText", text="not an address!")
        page.key("Enter")
        page.wait("what is wrong", "!!document.querySelector('[role=dialog] [data-problem]')")
        refused = json.loads(made.command("iscsiutil", "-a", "-I", "not an address!", "-P", "3260", "--json", ok=None).err)["error"]
        told = page.run("document.querySelector('[role=dialog] [data-problem]').innerText")
        assert refused["message"] in told and refused["next"] in told, (refused, told)
        assert page.find("alert", "", exact=False), "a screen reader is not told"
        page.key("Escape")
        look.no_dialog(page)
        page.wait("the focus", "document.activeElement.innerText === 'Add a discovery address…'")


def by_itself(t, made, opened, target):
    page = opened()
    with t.case("what somebody else changes is seen without a click"):
        look.show(page, "targets")
        made.command("iscsiutil", "-a", "-T", "iqn.2001-04.com.example:elsewhere", "-I", "::1", "-P", "3299")
        page.wait_text("iqn.2001-04.com.example:elsewhere")
        page.wait_text("[::1]:3299")
        made.command("iscsiutil", "-d", "-T", "iqn.2001-04.com.example:elsewhere")
        page.wait("it to be gone", "!document.body.innerText.includes('elsewhere')")
    with t.case("a scan shows what it waits for, and then what failed and what to do"), net.Silent() as silent:
        made.command("iscsiutil", "-t", "LoginTimeout", "6")
        made.command("iscsiutil", "-a", "-I", silent.host, "-P", silent.port)
        look.show(page, "discovery")
        page.click("button", "Scan")
        page.wait("progress", "!!document.querySelector('[data-scan=runs] [role=progressbar]')")
        page.wait_text("waits for")
        assert page.find("progressbar", "", exact=False)
        told = look.scanned(page)
        assert str(silent.port) in told and "Next: " in told, told
        made.command("iscsiutil", "-d", "-I", silent.host, "-P", silent.port)
    with t.case("a unit that is gone is what is wrong, with its next step; found again, it is not"):
        gone = target.units.pop()
        made.command("ioscan", "-H", "255", ok=None)
        look.show(page, "overview")
        page.wait("the unit", "[...document.querySelectorAll('[data-trouble]')].some((e) => /Unit .* is gone/.test(e.innerText) && e.innerText.includes('Next:'))")
        target.units.append(gone)
        made.command("ioscan", "-H", "255", ok=None)
        page.wait("it to be there", "![...document.querySelectorAll('[data-trouble]')].some((e) => /is gone/.test(e.innerText))")


def without_driver(t, made, opened):
    page = opened()
    with t.case("without a driver the page says what iscsiutil says; with it again all is there again"):
        look.show(page, "targets")
        made.driver.kill()
        page.wait_text("iSCSI stack is not loaded")
        refused = json.loads(made.command("iscsiutil", "-o", "--json", ok=None).err)["error"]
        assert refused["message"] in page.text() and refused["next"] in page.text(), (refused, page.text())
        made.restart_driver()
        page.wait("the targets", "!!document.querySelector('[data-view=targets] [data-target]')", 60)
        look.show(page, "events")
        page.wait("events", "document.querySelectorAll('[data-event]').length > 0")


def main():
    with tap.script() as t:
        may_not(t)
        with FieldTarget([Unit(0, serial=SERIAL), Unit(1, "B")]) as target:
            target.keys = {"TargetAlias": ALIAS}
            with look.world(t) as (made, opened):
                filled(made, target)
                hostile(t, made, opened, target)
                by_keyboard(t, made, opened)
                by_itself(t, made, opened, target)
                without_driver(t, made, opened)


main()
