"""Chromium without a head and without a network, for the pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NEEDED = "CAMTRAPS_NEEDS_BROWSER"  # set where a missing browser is a failure
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


@contextmanager
def opened(downloads: Path) -> Iterator["Browser"]:
    """Start a browser; a test is skipped where there is none."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(programs):
        if os.environ.get(NEEDED):
            pytest.fail("chromium or chromedriver is not installed")
        pytest.skip("chromium or chromedriver is not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        where = {"behavior": "allow", "downloadPath": str(downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """What the tests do in it."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Load a page from the disk."""
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments):
        """Run JavaScript."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments):
        """Run JavaScript that gives a promise, until it has its value."""
        return self.driver.execute_async_script(f"({script})().then(arguments[arguments.length - 1])", *arguments)

    def text(self, selector: str) -> str:
        """Give the text of an element, seen or not."""
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def click(self, selector: str) -> None:
        """Click where a person would."""
        self.find(selector).click()

    def find(self, selector: str):
        """Give an element."""
        return self.driver.find_element("css selector", selector)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def size(self, width: int, height: int = 900) -> None:
        """Make the window so large, in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def complaints(self) -> list[str]:
        """Give what the console says since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
