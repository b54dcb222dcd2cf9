"""What the tests of the page have in common: a page that is ready, its parts, and what it called."""
import contextlib
import json
import os

import browser
import field
import place
import tap
from place import Cockpit

WIDTHS = (("a desktop", 1280, 800), ("a phone", 390, 844))
VIEWS = ("overview", "targets", "units", "discovery", "events", "settings")
# Notes the words of each command that the page runs, before Cockpit does.
SPY = """(() => { let real; window.spawned = []; Object.defineProperty(window, 'cockpit', { configurable: true, get: () => real, set: (c) => {
    if (c && c.spawn && !c.spawn.isSpied) { const spawn = c.spawn; c.spawn = (argv, how) => { window.spawned.push(argv); return spawn(argv, how); }; c.spawn.isSpied = true; }
    real = c; } }); })()"""
PICTURES = os.environ.get("OPENISW_PICTURES")


@contextlib.contextmanager
def world(t, user=None):
    """(initiator, a function that opens the page): daemons as they are installed, Cockpit for this user, one browser."""
    missing = place.missing() + browser.missing()
    if missing:
        raise tap.Skip("%s not installed: ./check --cockpit installs what it needs" % ", ".join(missing))
    made_page = place.page()
    with field.initiator(t, held=True) as made:
        made.start_daemon("iscsi_resolvd")
        with Cockpit(made_page, made.env, user) as cockpit, browser.Browser() as chromium:
            t.show_on_failure(cockpit)
            t.show_on_failure(chromium)
            yield made, lambda width=1280, height=800: opened(chromium, cockpit, width, height)


def opened(chromium, cockpit, width, height):
    page = chromium.page(width, height)
    page.call("Page.addScriptToEvaluateOnNewDocument", source=SPY)
    page.go(cockpit.url)
    page.wait("the page to have asked", "!!document.querySelector('[data-ready=yes][data-may]')")
    return page


def show(page, view):
    """A part of the page, by its tab."""
    page.click("tab", view.capitalize())
    page.wait("the part %s" % view, "!!document.querySelector('[data-view=%s]')" % view)


def health(page, kind, limit=30):
    """Until the first sentence says so; the sentence."""
    show(page, "overview")
    page.wait("health to be %s" % kind, "document.querySelector('[data-health]').dataset.health === '%s'" % kind, limit)
    return page.run("document.querySelector('[data-health]').innerText")


def scanned(page):
    """What a scan found, once it is over; the words."""
    page.wait("the scan to be over", "!!document.querySelector('[data-scan=done]')", 60)
    return page.run("document.querySelector('[data-scan]').innerText")


def no_dialog(page):
    page.wait("the dialog to be closed", "!document.querySelector('[role=dialog]')")


def spawned(page):
    return page.run("window.spawned")


def fits(page):
    """Nothing is wider than the screen."""
    page.still()
    wide = page.run("""(() => { const w = document.documentElement.clientWidth; const isScrolled = (e) => e && (e.closest('.pf-v6-c-tabs') || e.closest('table.openisw-plain'));
        return document.querySelector('main').scrollWidth > w ? ['main'] : [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > w + 1
        && e.getBoundingClientRect().width > 0 && !isScrolled(e)).map((e) => e.outerHTML.slice(0, 120)).slice(0, 3); })()""")
    assert not wide, wide


def picture(page, name):
    """For doc/, where somebody asked for pictures."""
    if PICTURES:
        page.run("document.activeElement.blur()")
        page.picture(os.path.join(PICTURES, name + ".png"))


def axe(page):
    """What axe-core finds wrong, as sentences."""
    path = os.path.join(place.modules(), "axe-core", "axe.min.js")
    if not os.path.exists(path):
        raise tap.Skip("axe-core is not installed: ./check --cockpit installs it")
    if not page.run("!!window.axe"):
        with open(path, encoding="utf-8") as f:
            page.call("Runtime.evaluate", expression=f.read())
    page.still()
    found = page.run("axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => "
                     "({ id: v.id, help: v.help, where: v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + n.failureSummary.slice(0, 200)) })))")
    return ["%(id)s: %(help)s" % v + " " + json.dumps(v["where"]) for v in found]
