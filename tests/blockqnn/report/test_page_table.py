"""The table of trials in the report, in a real browser: sorting, filtering, opening rows."""

import math

from tests.blockqnn.browser import Keys
from tests.blockqnn.report.test_page import shown

NUMBERS = "[...document.querySelectorAll('#trials tbody tr')].map((row) => +row.dataset.trial)"


def column(browser, name):
    """The cells of a column of the table, from the page that is shown."""
    index = browser.script(
        "[...document.querySelectorAll('#trials th')]"
        ".findIndex((cell) => cell.dataset.column === arguments[0])",
        name,
    )
    return browser.texts(f"#trials tbody td:nth-child({index + 1})")


def repeats(trials):
    """Numbers of trials whose block stands in another row: the trained one, else the first."""
    first = {}
    for number, trial in trials.items():
        known = first.setdefault(trial["hash"], number)
        if trial["status"] == "completed" and trials[known]["status"] != "completed":
            first[trial["hash"]] = number
    return set(trials) - set(first.values())


def test_the_table_sorts_by_every_column(browser, trials):
    again = repeats(trials)
    best = sorted(
        (number for number in trials if trials[number]["reward"] is not None),
        key=lambda number: (number in again, -trials[number]["reward"], number),
    )
    assert browser.script(NUMBERS) == best[:25]
    browser.click("th[data-column=number] button")
    assert browser.script(NUMBERS) == sorted(trials)[:25]
    browser.click("th[data-column=number] button")
    assert browser.script(NUMBERS) == sorted(trials, reverse=True)[:25]
    assert browser.one("th[data-column=number]").get_attribute("aria-sort") == "descending"
    browser.click("th[data-column=accuracy] button")
    accuracies = [
        (
            number in again,
            -trials[number]["accuracy"] if trials[number]["accuracy"] is not None else math.inf,
        )
        for number in trials
    ]
    wanted = [number for _, number in sorted(zip(accuracies, trials, strict=True))]
    assert browser.script(NUMBERS) == wanted[:25]


def test_the_pages_of_the_table_hold_every_trial_once(browser, trials):
    seen = []
    while True:
        seen += browser.script(NUMBERS)
        (following,) = [b for b in browser.all(".pages button") if b.text == "Next"]
        if not following.is_enabled():
            break
        browser.driver.execute_script("arguments[0].click()", following)
    assert sorted(seen) == sorted(trials)
    assert len(seen) == len(trials)
    assert browser.text("#where").endswith(f"of {len(trials)}")


def test_the_table_filters_by_words_and_status(browser, trials):
    browser.one("#find").send_keys("no conv")
    wanted = [n for n, trial in trials.items() if trial["reason"] == "no convolution"]
    assert wanted
    assert browser.text("#where").endswith(f"of {len(wanted)}")
    assert set(browser.script(NUMBERS)) <= set(wanted)
    browser.driver.execute_script(
        "const find = document.getElementById('find'); find.value = '(1,1,3';"
        "find.dispatchEvent(new Event('input'));"
        "const status = document.getElementById('status');"
        "status.value = [...status.options].find((o) => o.text === 'trained').value;"
        "status.dispatchEvent(new Event('change'));"
    )
    wanted = {
        n
        for n, trial in trials.items()
        if "(1,1,3" in trial["code"] and trial["status"] == "completed"
    }
    assert set(browser.script(NUMBERS)) == wanted
    assert set(column(browser, "status")) == {"trained"}
    browser.driver.execute_script(
        "const find = document.getElementById('find'); find.value = '#3';"
        "find.dispatchEvent(new Event('input'));"
        "const status = document.getElementById('status'); status.value = '';"
        "status.dispatchEvent(new Event('change'));"
    )
    assert browser.script(NUMBERS) == [3]
    browser.one("#find").send_keys("999999")
    assert browser.text("#where") == "no trial matches"


def test_rows_can_be_reached_and_opened_by_keyboard(browser, trials):
    browser.driver.execute_script("document.getElementById('status').focus()")
    reached = False
    for _ in range(20):
        browser.press(Keys.TAB)
        reached = browser.script("document.activeElement.tagName === 'TR'")
        if reached:
            break
    assert reached
    number = browser.script("+document.activeElement.dataset.trial")
    browser.press(Keys.ENTER)
    assert shown(browser) == number
    assert browser.script("document.activeElement.id") == "panel"
    browser.press(Keys.ESCAPE)
    assert shown(browser) is None
    # What was left is found again.
    assert browser.script("+document.activeElement.dataset.trial") == number
