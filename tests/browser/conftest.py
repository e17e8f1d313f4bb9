"""Debian's chromium in front of the real application and the real PostgreSQL."""

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000
# What the browser itself says of a request that a test lets fail.
EXPECTED = ("Failed to load resource",)


@pytest.fixture(scope="package")
def chromium():
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; Django would refuse its own queries beside it.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        expect.set_options(timeout=PATIENCE_MS)
        path = os.environ.get("CHROMIUM_PATH") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, live_server) -> Callable[..., Page]:
    """`open_page(user, device)`: a browser of their own. Nothing that a script complains of passes unseen."""
    from tests.browser.browsing import DESK, session_cookie

    contexts, complaints = [], []

    def open_page(user=None, device: dict = DESK) -> Page:
        context = chromium.new_context(base_url=live_server.url, reduced_motion="reduce", **device)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        if user:
            context.add_cookies([session_cookie(user, live_server.url)])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [words for words in complaints if not words.startswith(EXPECTED)] == []


@pytest.fixture
def campaign(alice):
    """Open to everyone, run by alice; one answer settles a text."""
    from annotation.models import Campaign, Membership, Role
    from tests.factories import make_campaign

    guideline = "## What counts\n\nA *rash*."
    campaign = make_campaign(joining=Campaign.Joining.ANYONE, needed=1, guideline=guideline)
    Membership.objects.create(user=alice, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    return campaign
