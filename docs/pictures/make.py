"""Take the README's pictures of the demo as `./hc up` shows it, once two models have ordered the queue.

    .venv/bin/python docs/pictures/make.py

It starts a platform of its own, with data of its own that it removes in the end. On two cores it waits for
some minutes until the second model is trained. Needs requirements-dev.txt and Debian's chromium.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, expect, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHROMIUM = os.environ.get("CHROMIUM_PATH") or "/usr/bin/chromium"
CURVE_MS = 40 * 60 * 1000  # the curve begins with the second run
WIDTH, HEIGHT = 1366, 850
N_ANSWERS = 5
MOST_BYTES = 270_000


class Demo(NamedTuple):
    address: str
    passwords: dict[str, str]


@contextmanager
def demo() -> Iterator[Demo]:
    """The platform as a newcomer starts it, until the block ends."""
    data_dir = Path(tempfile.mkdtemp(prefix="hc-pictures-"))
    own = {"DATA_DIR": str(data_dir), "DATABASE_URL": "", "REDIS_URL": "", "HOST": "127.0.0.1"}
    platform = subprocess.Popen(
        [ROOT / "hc", "up", "--port", str(free_port())],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield read_announcement(platform)
    finally:
        platform.send_signal(signal.SIGINT)
        platform.communicate()
        shutil.rmtree((data_dir / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(data_dir, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_announcement(platform: subprocess.Popen) -> Demo:
    passwords = {}
    for line in platform.stdout:
        print(line, end="", flush=True)
        if account := re.search(r"(demo-\w+)\s+(\S+)$", line):
            passwords[account[1]] = account[2]
        if address := re.search(r"is at (http://\S+)/$", line):
            return Demo(address[1], passwords)
    raise SystemExit("The platform ended before it had a page; the reason is above.")


def sign_in(browser: Browser, demo: Demo, username: str) -> Page:
    page = browser.new_page(base_url=demo.address, viewport={"width": WIDTH, "height": HEIGHT})
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(demo.passwords[username])
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Campaigns")).to_be_visible()
    return page


def picture_dashboard(browser: Browser, demo: Demo) -> None:
    page = sign_in(browser, demo, "demo-admin")
    page.get_by_role("link", name="Manage").click()
    began = time.monotonic()
    expect(page.locator(".queue h2")).to_contain_text("ordered by v", timeout=CURVE_MS)
    print(
        f"A model has ordered the queue, {time.monotonic() - began:.0f} s after the first page.", flush=True
    )
    expect(page.locator(".gain canvas").first).to_be_visible(timeout=CURVE_MS)
    page.reload()
    queue = page.locator(".queue").bounding_box()
    save(page, "dashboard", height=queue["y"] + queue["height"] + 12)


def picture_labelling(browser: Browser, demo: Demo) -> None:
    page = sign_in(browser, demo, "demo-volunteer")
    page.get_by_role("link", name="Start").click()
    page.get_by_role("button", name="I agree").click()
    text = page.locator("#text")
    for _ in range(N_ANSWERS):
        expect(text).not_to_be_empty()
        shown = text.inner_text()
        page.keyboard.press("2")
        expect(text).not_to_have_text(shown)
    expect(page.locator("#save-state")).to_have_text("✓ saved")
    save(page, "label", height=HEIGHT)


def save(page: Page, name: str, *, height: float) -> None:
    """The page from its top, as far down as `height`; one that is too large leaves what was there."""
    path = HERE / f"{name}.png"
    part = {"x": 0, "y": 0, "width": WIDTH, "height": height}
    picture = page.screenshot(full_page=True, clip=part, animations="disabled")
    if len(picture) > MOST_BYTES:
        raise SystemExit(f"{name} has {len(picture):,} bytes; a picture here has at most {MOST_BYTES:,}.")
    path.write_bytes(picture)
    print(f"{path.relative_to(ROOT)}: {len(picture):,} bytes")


def main() -> None:
    with demo() as platform, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        picture_dashboard(browser, platform)
        picture_labelling(browser, platform)
        browser.close()


if __name__ == "__main__":
    main()
