"""A real browser without a window, by its own debugging pipe: opens a page, asks it questions, takes a picture."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

from runner import Skip

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
DEADLINE = 120  # the machine may be busy; an answer is awaited, never slept for


def _pipe_with_end(end):
    """A pipe; that end of it has a number above 4, so that putting it to 3 or 4 overwrites no other."""
    pair = list(os.pipe())
    low, pair[end] = pair[end], fcntl.fcntl(pair[end], fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(low)
    return pair


class Browser:
    def __init__(self, context):
        program = next((path for path in map(shutil.which, NAMES) if path), None)
        if not program:
            if os.environ.get("CI") == "true":
                raise AssertionError("no browser: tools/install-deps test installs one")
            raise Skip("no browser here (Debian: chromium-headless-shell)")
        ours_in, its_out = _pipe_with_end(1)
        its_in, ours_out = _pipe_with_end(0)
        # The browser speaks by its descriptors 3 and 4. A shell puts them there, so that nothing of this process is touched.
        # (bash: others know no descriptors above 9.)
        command = ["bash", "-c", f'exec "$@" 3<&{its_in} 4>&{its_out}', "sh", program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
                   "--user-data-dir=" + context.path("browser"), "about:blank"]
        with open(context.path("browser.log"), "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(its_in, its_out), start_new_session=True,
                                            env={**os.environ, "HOME": context.dir, "XDG_CONFIG_HOME": context.path("config")})
        os.close(its_in)
        os.close(its_out)
        self.read, self.write, self.rest, self.number, self.events = ours_in, ours_out, b"", 0, []
        context.at_end(self.close)
        target = self.ask("Target.createTarget", url="about:blank", session=None)["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(domain + ".enable")

    def message(self, deadline):
        while b"\0" not in self.rest:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.read], [], [], left)[0], "the browser does not answer"
            more = os.read(self.read, 1 << 20)
            assert more, "the browser is gone"
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def ask(self, method, session="", **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if session is not None:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        deadline = time.monotonic() + DEADLINE
        while True:
            told = self.message(deadline)
            if told.get("id") == self.number:
                assert "error" not in told, (method, told)
                return told["result"]
            self.events.append(told)

    def wait(self, method):
        deadline = time.monotonic() + DEADLINE
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.message(deadline))

    def open(self, path, width=1280, height=900, is_dark=False):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}])
        self.events = []
        self.ask("Page.navigate", url="file://" + path)
        self.wait("Page.loadEventFired")

    def value(self, expression):
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def complaints(self):
        """What the browser logged: refused by the policy, errors of scripts."""
        told = [e["params"]["entry"]["text"] for e in self.events if e.get("method") == "Log.entryAdded"]
        return told + [e["params"]["exceptionDetails"]["text"] for e in self.events if e.get("method") == "Runtime.exceptionThrown"]

    def picture(self, path):
        data = base64.b64decode(self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])
        with open(path, "wb") as out:
            out.write(data)
        return data

    def close(self):
        os.close(self.write)  # the end of its pipe is its order to leave
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        os.close(self.read)
