"""A headless Chromium, driven over a pipe by the Chrome DevTools Protocol.

    with chromium.running() as browser:
        page = browser.open(path)
        page.value("document.title")

Requests and answers are JSON documents that end in a NUL, on the descriptors 3
and 4 of the browser (--remote-debugging-pipe): there is no port, and no module
but Python's own.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

import segtest


PATIENCE = 240  # seconds: a browser starts slowly where much else runs


class Page:
    """A file that was opened, and all that happened to it since."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.events = []

    def call(self, method, **parameters):
        return self.browser.call(method, self, **parameters)

    def value(self, expression):
        """What a JavaScript expression is, as JSON can say it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key, code=0):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
            if kind == "rawKeyDown" and key == "Enter":
                self.call("Input.dispatchKeyEvent", type="char", key=key, text="\r")

    def point_at(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def named(self, method):
        """The events of this name so far."""
        return [event["params"] for event in self.events if event["method"] == method]

    def wait_for(self, method):
        segtest.wait_until(lambda: self.named(method) or not self.browser.pump(), f"event {method}", PATIENCE)

    def complaints(self):
        """Errors and warnings of the console, exceptions, dialogs, and requests for anything but
        the file itself."""
        self.value("new Promise(done => setTimeout(done, 0))")
        found = [entry["entry"]["text"] for entry in self.named("Log.entryAdded")]
        found += [str(entry["args"]) for entry in self.named("Runtime.consoleAPICalled")]
        found += [entry["exceptionDetails"]["text"] for entry in self.named("Runtime.exceptionThrown")]
        found += ["dialog: " + entry["message"] for entry in self.named("Page.javascriptDialogOpening")]
        found += ["request: " + entry["request"]["url"] for entry in
                  self.named("Network.requestWillBeSent")[1:]]
        return found


class Browser:
    def __init__(self, process, writer, reader):
        self.process, self.writer, self.reader = process, writer, reader
        self.buffer, self.number, self.answers, self.pages = b"", 0, {}, {}

    def pump(self, seconds=0.2):
        """Take in what comes within a while; always True."""
        if select.select([self.reader], [], [], seconds)[0]:
            data = os.read(self.reader, 1 << 20)
            assert data, f"the browser has ended with status {self.process.poll()}"
            *whole, self.buffer = (self.buffer + data).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    self.answers[message["id"]] = message
                elif message.get("sessionId") in self.pages:
                    self.pages[message["sessionId"]].events.append(message)
        return True

    def call(self, method, page=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if page:
            message["sessionId"] = page.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        number = self.number
        segtest.wait_until(lambda: number in self.answers or not self.pump(), f"answer to {method}", PATIENCE)
        answer = self.answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def open(self, path, width=1280, height=900):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            page.call(domain + ".enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        page.call("Page.navigate", url=pathlib.Path(path).absolute().as_uri())
        page.wait_for("Page.loadEventFired")
        return page


def high_pipe():
    """A pipe whose descriptors are 20 and more."""
    low = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in low]
    for end in low:
        os.close(end)
    return high


@contextlib.contextmanager
def running():
    program = segtest.which("chromium", "chromium-browser", "google-chrome")
    with tempfile.TemporaryDirectory(prefix="segmap-chromium-", ignore_cleanup_errors=True) as profile:
        # Not 3 and 4, which these are to become in the browser.
        (to_read, to_write), (from_read, from_write) = high_pipe(), high_pipe()

        def take_ends():
            os.dup2(to_read, 3)
            os.dup2(from_write, 4)

        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--hide-scrollbars", f"--user-data-dir={profile}"]
        process = subprocess.Popen(command, preexec_fn=take_ends, pass_fds=(3, 4),
                                   start_new_session=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        browser = Browser(process, to_write, from_read)
        try:
            yield browser
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(to_write)
            # Its pipe ends when the last of its processes is gone, and with it who writes to profile.
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and select.select([from_read], [], [], 1)[0] and \
                    os.read(from_read, 1 << 20):
                pass
            os.close(from_read)
