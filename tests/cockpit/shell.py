"""The page as an administrator comes to it: by the menu of Cockpit's shell, in its frame, at a desktop's and a phone's width."""
import os

import look
import tap

SHELL = "/usr/share/cockpit/shell/index.html"
FRAME = "document.querySelector('iframe[name*=openisw]')"
PAGE = FRAME + "?.contentDocument"


def in_the_shell(t, page, made, where, width):
    with t.case("%s: the menu of Cockpit's shell has the page, and opens it" % where):
        page.go(page.run("location.origin") + "/")
        page.wait("the shell's menu", "!!document.querySelector('a[href=\"/openisw\"]')", 60)
        if page.find("button", "System"):  # on a phone it is folded
            page.click("button", "System")
            page.still()
        page.click("link", "iSCSI initiator")
        page.wait("the page in its frame", "!!%s?.querySelector('[data-ready=yes][data-may=true]')" % PAGE, 60)
        assert page.run("location.pathname") == "/openisw", page.run("location.href")
    with t.case("%s: there it has its place, no wider and no longer than the frame, and says what is so" % where):
        wide, room = page.run("[%s.documentElement.scrollWidth, %s.clientWidth]" % (PAGE, FRAME))
        assert wide <= room, (wide, room)
        assert page.run("%s.documentElement.scrollHeight <= %s.clientHeight" % (PAGE, FRAME))
        tabs = page.run("(() => { const l = %s.querySelector('.pf-v6-c-tabs__list'); return l.scrollWidth > l.clientWidth + 1; })()" % PAGE)
        if tabs:
            page.wait("what pushes the tabs aside", "!!%s.querySelector('.pf-v6-c-tabs.pf-m-scrollable') && !%s.getAnimations().length" % (PAGE, PAGE))
        assert tabs == (width < 600), tabs
        assert made.request("initiator.get")["name"] in page.run(PAGE + ".body.innerText")
        look.picture(page, "shell-" + where.split()[-1])
    with t.case("%s: the shell's dark is the page's" % where):
        page.run("localStorage.setItem('shell:style', 'dark')")
        page.wait("the dark", PAGE + ".documentElement.classList.contains('pf-v6-theme-dark')")
        assert not page.errors, page.errors


def main():
    with tap.script() as t:
        if not os.path.exists(SHELL):
            raise tap.Skip("cockpit-system is not installed: ./check --cockpit installs it")
        for where, width, height in look.WIDTHS:
            with look.world(t) as (made, opened):
                in_the_shell(t, opened(width, height), made, where, width)


main()
