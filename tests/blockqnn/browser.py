"""A real browser without a window, and what the tests of pages ask of it."""

import base64
import contextlib
import os
import pathlib
import shutil
import tempfile
import time

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0
"""Seconds after which what has not come will not come."""


def programs():
    """The paths of a browser and its driver, or None where one of them is missing."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    # GitHub's machines name the driver's folder.
    places = [os.environ.get("CHROMEWEBDRIVER"), os.environ.get("PATH")]
    driver = shutil.which("chromedriver", path=os.pathsep.join(filter(None, places)))
    return (browser, driver) if browser and driver else None


class Browser:
    """A window and what can be done in it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        """Loads a page and waits until its charts are drawn."""
        self.errors()
        self.driver.get(address)
        self.wait("document.documentElement.dataset.drawn === 'true'")

    def open_file(self, path):
        self.open(pathlib.Path(path).resolve().as_uri())

    def script(self, expression, *arguments):
        """The value of an expression of JavaScript; `arguments` are its `arguments`."""
        return self.driver.execute_script(f"return ({expression});", *arguments)

    def wait(self, expression, *arguments):
        """Waits until an expression is true."""
        begun = time.monotonic()
        while not self.script(expression, *arguments):
            assert time.monotonic() - begun < PATIENCE, f"never came: {expression}"
            time.sleep(0.02)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return self.script(
            "[...document.querySelectorAll(arguments[0])].map((node) => node.textContent)", selector
        )

    def text(self, selector):
        (text,) = self.texts(selector)
        return text

    def click(self, selector):
        node = self.one(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)
        node.click()

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def point_at(self, chart, trace, index):
        """Moves the pointer onto a point of a chart; returns what the point carries."""
        place = self.driver.execute_script(
            """
            const node = document.getElementById(arguments[0]);
            node.scrollIntoView({block: "center"});
            const full = node._fullLayout, trace = node._fullData[arguments[1]];
            const x = full[trace.xaxis.replace("x", "xaxis")];
            const y = full[trace.yaxis.replace("y", "yaxis")];
            const box = node.getBoundingClientRect(), at = arguments[2];
            return [box.left + x._offset + x.d2p(trace.x[at]),
                    box.top + y._offset + y.d2p(trace.y[at]), trace.customdata[at]];
            """,
            chart,
            trace,
            index,
        )
        ActionChains(self.driver).move_by_offset(1, 1).perform()
        actions = ActionChains(self.driver)
        actions.w3c_actions.pointer_action.move_to_location(round(place[0]), round(place[1]))
        actions.perform()
        return place[2]

    def click_here(self):
        ActionChains(self.driver).click().perform()

    def errors(self):
        """What the page has complained of since the last call."""
        return [
            entry
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def pdf(self):
        """The page as it is printed."""
        return base64.b64decode(self.driver.print_page())


@contextlib.contextmanager
def opened(width=1400, height=900):
    """A browser of its own, closed at the end.

    Where there is none, the test is skipped, but on CI it fails.
    """
    found = programs()
    if found is None:
        problem = "no chromium or chrome with its chromedriver here"
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = found[0]
        for argument in (
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(found[1]))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


__all__ = ["Browser", "Keys", "opened", "programs"]
