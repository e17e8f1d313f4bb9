"""Devices, how a browser is signed in without the form, and what every page has to keep to."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

DESK = {"viewport": {"width": 1366, "height": 850}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDTHS = [pytest.param(DESK, id="1366"), pytest.param(PHONE, id="390")]
EVERY_RULE = {"resultTypes": ["violations"]}
CONTRAST_ALONE = EVERY_RULE | {"runOnly": ["color-contrast"]}


def is_fine(page: Page) -> None:
    """In both colours: no rule of axe-core broken, and no way to scroll sideways."""
    name = page.title()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{name} is too wide"
    for colours, options in (("light", EVERY_RULE), ("dark", CONTRAST_ALONE)):
        page.emulate_media(color_scheme=colours)
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, f"{name}, {colours}: {found.generate_report()}"


def session_cookie(user, url: str) -> dict:
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}
