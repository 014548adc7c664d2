"""A headless Chromium, driven over the DevTools protocol."""

import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import websocket

WIDE, NARROW = (1280, 860), (390, 780)


class PageError(Exception):
    """An exception in the page, or an expression that did not become true in time."""


class Chromium:
    """One browser with one page. Everything waits until it has happened, at most `patience` seconds."""

    def __init__(self, patience: float = 60):
        self._patience = patience
        self._folder = tempfile.mkdtemp(prefix="chromium-")
        program = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-extensions",
            "--hide-scrollbars",
            "--force-color-profile=srgb", f"--user-data-dir={self._folder}", "--remote-debugging-port=0",
            "--remote-allow-origins=*", "about:blank",
        ]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._ids = itertools.count(1)
        self.log: list[str] = []
        """Errors and warnings of the console, and refused requests."""
        try:
            self._connection = websocket.create_connection(self._endpoint(), timeout=patience, max_size=None)
            targets = self._send("Target.getTargets")["targetInfos"]
            page = next(target["targetId"] for target in targets if target["type"] == "page")
            self._session = self._send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            for domain in ["Page", "Runtime", "Log", "Network"]:
                self.send(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def _endpoint(self) -> str:
        # The line is the first or so; a browser that fails says why before it ends.
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                return found[1]
        raise PageError("chromium did not start: " + "".join(said))

    def _send(self, method: str, session: str | None = None, **parameters):
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def send(self, method: str, **parameters):
        """A command to the page."""
        return self._send(method, self._session, **parameters)

    def _note(self, event: dict) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.log.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.log.append(details.get("exception", {}).get("description") or details["text"])
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning"):
                self.log.append(" ".join(str(item.get("value")) for item in parameters["args"]))

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)

    def run(self, expression: str):
        """The value of an expression in the page; promises are awaited."""
        result = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description") or details["text"])
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + self._patience
        while not self.run(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise PageError(
                    f"did not become true: {expression}\npage: {self.run('document.body.innerText')}\n{self.log}"
                )
            time.sleep(0.02)

    def type(self, text: str) -> None:
        """Types into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Presses a key: a character, or a name such as Enter."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40}.get(key, 0)
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def look(self, size=WIDE, scheme: str = "light") -> None:
        """Changes the window's size and the preferred colours."""
        width, height = size
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stderr.close()
        shutil.rmtree(self._folder, ignore_errors=True)
