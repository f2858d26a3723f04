"""The page in a real browser, on a phone and on a laptop, while a film plays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from browser import Browser, program

pytestmark = pytest.mark.slow

PHONE, LAPTOP = (390, 844), (1280, 800)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def browser(tmp_path) -> Iterator[Browser]:
    if program() is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with Browser(tmp_path / "browser", LAPTOP) as opened:
        yield opened


def text(name: str) -> str:
    return f"document.getElementById({name!r})?.textContent"


def seen(browser: Browser, path: Path) -> np.ndarray:
    browser.screenshot(path)
    image = cv2.imread(str(path))
    assert image is not None
    return image


def test_the_page_shows_a_film_as_it_plays(process, browser, film, tmp_path):
    begun = process(film, "--serve", "127.0.0.1:0", "--json")
    browser.open(begun.address)
    browser.wait_for("document.getElementById('stream')?.naturalWidth === 640")
    browser.wait_for(f"{text('state')} === 'finished'")
    latest = begun.ask("/api/latest").json
    assert latest["frames"] == 50
    browser.wait_for(f"{text('label')} === {latest['label']!r}")
    assert browser.value(text("confidence")) == f"{100 * latest['confidence']:.1f} %"
    assert browser.value("document.querySelectorAll('#bars li').length") == 3
    assert browser.value(text("model")) == "wardrobe · litert"
    assert browser.value(text("dropped")) == "0"
    assert browser.value("document.title") == f"{latest['label']} – hemline"
    for size_wh in (PHONE, LAPTOP):
        for dark in (False, True):
            browser.resize(size_wh, dark=dark)
            browser.wait_for(f"innerWidth === {size_wh[0]}")
            assert browser.value(OVERFLOW) == 0  # nothing to scroll sideways
            ground = browser.value("getComputedStyle(document.body).backgroundColor")
            levels = [int(level) for level in ground[4:-1].split(",")]
            assert (max(levels) < 60) == dark
            picture = seen(browser, tmp_path / "page.png")
            assert picture.shape[:2] == size_wh[::-1]
            assert picture.std() > 10  # the film is on it
    assert browser.messages == []  # no error, nothing that the policy forbids


def test_a_picture_that_is_chosen_is_classified(process, browser, garments, classifier):
    begun = process("-m", "paper", "--serve", "127.0.0.1:0")
    browser.open(begun.address)
    browser.wait_for(f"{text('state')} === 'ready'")
    assert browser.value("document.getElementById('live')") is None
    document = browser.call("DOM.getDocument")["root"]["nodeId"]
    found = browser.call("DOM.querySelector", nodeId=document, selector="#file")
    for path in garments[:2]:
        label = classifier.classify_file(path).label
        browser.call("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(path)])
        browser.wait_for(f"{text('tried-label')} === {label!r}")
    assert browser.value("document.getElementById('tried-picture').naturalWidth") > 0
    assert browser.messages == []


def test_the_page_says_that_there_is_no_connection_and_comes_back(process, browser, film):
    begun = process(film, "--serve", "127.0.0.1:0")
    browser.open(begun.address)
    browser.wait_for(f"['live', 'finished'].includes({text('state')})")
    begun.end()
    browser.wait_for(f"{text('state')} === 'no connection'")
    again = process(film, "--serve", f"127.0.0.1:{begun.port}")
    assert again.port == begun.port
    browser.wait_for(f"['live', 'finished'].includes({text('state')})")
    browser.wait_for("document.getElementById('stream').naturalWidth === 640")


def test_the_token_opens_the_page_and_is_gone_from_the_address(process, browser, film):
    begun = process(film, "--serve", ":0", "--max-frames", "5")
    address = f"http://127.0.0.1:{begun.port}/"
    token = begun.address.partition("?token=")[2]
    browser.open(address)
    browser.wait_for("document.querySelector('input[name=token]') !== null")
    browser.value(f"document.querySelector('input').value = {token!r}")
    browser.value("document.querySelector('button').click()")
    browser.wait_for(f"location.href === {address!r}")
    browser.wait_for(f"{text('state')} === 'finished'")
    browser.open(address)
    browser.wait_for(f"{text('state')} === 'finished'")
    assert token not in browser.value("document.cookie + location.href")


def test_nothing_is_encoded_for_a_page_that_nobody_sees(serve, browser, frame):
    served = serve()
    served.show(frame, 0)
    browser.open(f"http://127.0.0.1:{served.port}/")
    hub = served.sink.server._hub
    end = time.monotonic() + 60
    while not hub.viewers:
        assert time.monotonic() < end
        time.sleep(0.02)
    browser.value(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    while hub.viewers:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_streams_do_not_hold_up_the_end(process, film, number):
    seconds = []
    while len(seconds) < 6:
        begun = process(film, "--serve", "127.0.0.1:0", "--json")
        viewers = [begun.stream() for _ in range(5)]
        start = time.monotonic()
        code, out, said = begun.end(number)
        seconds.append(time.monotonic() - start)
        assert (code, said.splitlines()[-1]) == (130, "hemline: interrupted")
        assert all(line.endswith("}") for line in out.splitlines())
        for viewer in viewers:
            viewer.close()
        if seconds[-1] < 1:
            return
    raise AssertionError(seconds)
