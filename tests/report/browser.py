"""A headless Chromium with a report in it, used as somebody would use it."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
INSTALL = "needs Chromium and its driver; Debian: apt-get install chromium chromium-driver"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
PATIENCE = 20


def start(profile: Path) -> Chrome:
    """Return a browser of its own, with a log of its console and of its requests."""
    options = ChromeOptions()
    options.binary_location = BROWSER or ""
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options=options, service=Service(DRIVER))


class Page:
    """A report in the browser, as somebody uses it."""

    def __init__(self, chrome: Chrome, path: Path) -> None:
        self.chrome = chrome
        chrome.get("about:blank")
        for kind in ("browser", "performance"):
            chrome.get_log(kind)  # type: ignore[no-untyped-call]
        chrome.get(path.as_uri())
        self.wait("return document.documentElement.dataset.ready === 'true'")

    def run(self, script: str, *arguments: object) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def wait(self, script: str) -> None:
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.02)

    def element(self, selector: str) -> WebElement:
        return self.chrome.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.chrome).send_keys(key).perform()

    def look_up(self, subject: str) -> str:
        """Type something into the look-up, press Enter and return what is said."""
        field = self.element("#look-input")
        field.clear()
        self.run("document.getElementById('look-status').textContent = 'Looking …'")
        field.send_keys(subject, Keys.ENTER)
        self.wait(
            "return !document.getElementById('look-status').textContent.startsWith('Looking')"
        )
        return self.text("#look-status")

    def verify(self) -> str:
        """Submit the proof form and return its verdict."""
        self.run("document.getElementById('proof-form').requestSubmit()")
        return self.text("#proof-status")

    def console(self) -> list[dict[str, Any]]:
        """Return what the console says since it was last asked."""
        said: list[dict[str, Any]] = self.chrome.get_log("browser")  # type: ignore[no-untyped-call]
        return said

    def requests(self) -> list[str]:
        """Return every address that was asked for since the page was opened.

        A request that the policy stopped is announced too, and then failed before it was sent.
        """
        log = self.chrome.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in log]
        stopped = {
            event["params"]["requestId"]
            for event in events
            if event["method"] == "Network.loadingFailed"
            and event["params"].get("blockedReason") == "csp"
        }
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and event["params"]["requestId"] not in stopped
        ]

    def require_quiet(self) -> None:
        """Require that the console is empty and nothing but the file was asked for."""
        assert self.console() == []
        asked = [url for url in self.requests() if not url.startswith(("file:", "about:", "data:"))]
        assert asked == []
