"""Headless Chromium, by its DevTools protocol over two pipes: pages are used as people use them, by what a screen reader is told.

	with Browser() as browser:
		page = browser.page(1280, 800)
		page.go("http://127.0.0.1:9090/")
		page.click("button", "Add")
"""
import base64
import json
import os
import queue
import shutil
import subprocess
import threading

import box
import proc

PROGRAM = "chromium"
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
             "--hide-scrollbars", "--lang=en-GB", "about:blank")
LIMIT = 30
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowRight": 39, "ArrowLeft": 37}


def missing():
    return [] if shutil.which(PROGRAM) else [PROGRAM]


class Browser:
    def __init__(self):
        self.dir = os.path.join(box.directory(), "browser")
        self.log = os.path.join(box.directory(), "browser.log")
        self.number, self.answers, self.pages = 0, {}, {}
        self.lock = threading.Lock()

    def tail(self):
        with open(self.log, errors="replace") as f:
            return [line for line in f.read().splitlines() if ":ERROR:dbus/" not in line][-20:]

    def __enter__(self):
        ours_in, its_out = os.pipe()
        its_in, ours_out = os.pipe()
        argv = [PROGRAM, "--user-data-dir=" + self.dir, *ARGUMENTS]
        env = dict(os.environ, HOME=self.dir, TZ="Europe/Berlin", LANG="C.UTF-8")
        os.makedirs(self.dir, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["bash", "-c", 'exec "$@" 3<&%d 4>&%d' % (its_in, its_out), "bash", *argv], env=env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=(its_in, its_out), preexec_fn=box.die_with_parent)
        os.close(its_in)
        os.close(its_out)
        self.input, self.output = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb", buffering=0)
        threading.Thread(target=self.listen, daemon=True).start()
        self.call("Browser.getVersion")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.input.close()
        self.output.close()

    def listen(self):
        rest = b""
        while True:
            try:
                part = self.input.raw.read(1 << 16)
            except (OSError, ValueError):
                return
            if not part:
                return
            *messages, rest = (rest + part).split(b"\0")
            for text in messages:
                message = json.loads(text)
                if "id" in message:
                    self.answers[message["id"]].put(message)
                elif message.get("sessionId") in self.pages:
                    self.pages[message["sessionId"]].told(message["method"], message["params"])

    def call(self, method, session=None, limit=LIMIT, **params):
        with self.lock:
            self.number += 1
            number, answer = self.number, queue.Queue()
            self.answers[number] = answer
            message = {"id": number, "method": method, "params": params}
            if session:
                message["sessionId"] = session
            self.output.write(json.dumps(message).encode() + b"\0")
        try:
            got = answer.get(timeout=limit)
        except queue.Empty:
            raise proc.Failed("%s was not answered within %s s" % (method, limit))
        finally:
            del self.answers[number]
        if "error" in got:
            raise proc.Failed("%s: %s" % (method, got["error"]))
        return got["result"]

    def page(self, width, height):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        self.pages[page.session] = page
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            page.call(domain + ".enable")
        page.resize(width, height)
        return page


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.errors = []  # what went wrong in it, as sentences

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def told(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append("%(text)s %(url)s" % dict({"url": ""}, **params["entry"]))

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])

    def go(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """The value of a JavaScript expression, waited for where it is a promise."""
        got = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise proc.Failed("%s: %s" % (script[:200], got["exceptionDetails"].get("exception", {}).get("description")))
        return got["result"].get("value")

    def wait(self, what, script, limit=LIMIT):
        """Until the expression is true; its value."""
        try:
            return proc.wait_for(what, lambda: self.run(script), limit=limit, every=0.05)
        except proc.Failed as why:
            raise proc.Failed("%s; the page says: %s" % (why, self.text()[:3000])) from None

    def text(self):
        return self.run("document.body ? document.body.innerText : ''") or ""

    def still(self):
        """Until nothing moves or changes its colour any more."""
        self.wait("the page to be still", "!document.getAnimations().some((a) => a.playState === 'running' && a.effect.getTiming().iterations !== Infinity)")

    def wait_text(self, text, limit=LIMIT):
        self.wait("the text %r" % text, "document.body.innerText.includes(%s)" % json.dumps(text), limit)

    # -- by roles and names ----------------------------------------------------------------------------------------------

    def tree(self):
        """What a screen reader is told: the nodes that are not ignored."""
        return [n for n in self.call("Accessibility.getFullAXTree")["nodes"] if not n.get("ignored")]

    def find(self, role, name, exact=True):
        """The backend numbers of the elements of this role and name."""
        def is_it(node):
            has = node.get("name", {}).get("value", "")
            return node.get("role", {}).get("value") == role and (has == name if exact else name in has)
        return [n["backendDOMNodeId"] for n in self.tree() if is_it(n) and "backendDOMNodeId" in n]

    def element(self, role, name, exact=True, limit=LIMIT):
        try:
            return proc.wait_for("%s %r" % (role, name), lambda: self.find(role, name, exact), limit=limit, every=0.1)[0]
        except proc.Failed as why:
            raise proc.Failed("%s; there are: %s" % (why, sorted({n.get("name", {}).get("value", "") for n in self.tree()
                                                                  if n.get("role", {}).get("value") == role}))) from None

    def click(self, role, name, exact=True):
        """With the mouse, in its middle; what lies over it gets the click, as a person's would."""
        element = self.element(role, name, exact)
        self.call("DOM.scrollIntoViewIfNeeded", backendNodeId=element)
        quad = self.call("DOM.getContentQuads", backendNodeId=element)["quads"][0]
        x, y = sum(quad[0::2]) / 4, sum(quad[1::2]) / 4
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="none" if kind == "mouseMoved" else "left", buttons=buttons, clickCount=1)

    def focus(self, role, name, exact=True):
        self.call("DOM.focus", backendNodeId=self.element(role, name, exact))

    def type(self, role, name, text):
        """In place of what stands in the field."""
        self.focus(role, name)
        self.run("document.activeElement.select()")
        self.key("Delete")
        self.call("Input.insertText", text=text)

    def choose(self, name, value):
        """An option of a list, by its value."""
        self.focus("combobox", name)
        self.run("(e => { const set = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set; set.call(e, %s);"
                 " e.dispatchEvent(new Event('change', { bubbles: true })); })(document.activeElement)" % json.dumps(value))

    def key(self, key, shift=False):
        code = KEYS.get(key, 46 if key == "Delete" else 0)
        how = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        text = {"Enter": "\r", " ": " "}.get(key)
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **(dict(how, text=text) if text else how))
        self.call("Input.dispatchKeyEvent", type="keyUp", **how)

    def focused(self):
        """(role, name) of the element with the focus, as a screen reader says it."""
        node = next((n for n in self.tree() if any(p["name"] == "focused" and p["value"].get("value") for p in n.get("properties", ()))
                     and n["role"]["value"] != "RootWebArea"), None)
        return (node["role"]["value"], node["name"]["value"]) if node else (None, None)

    def picture(self, path):
        self.still()
        data = self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))
