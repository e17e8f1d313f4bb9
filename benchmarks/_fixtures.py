"""Campaigns of any size in seconds, written by SQL, and volunteers who sign in like people."""

import http.client
import json
import re
import urllib.parse
import uuid

from django.db import connection
from django.utils import timezone

INSERT_RECORDS = """
INSERT INTO annotation_record (id, campaign_id, external_id, text, metadata, held, created_at)
SELECT uuidv7(), %s, 'r' || n, 'Note ' || n || '. She developed a rash after the second dose. Stopped.',
       '{}', false, now() FROM generate_series(1, %s) n
"""
INSERT_TASKS = """
INSERT INTO annotation_microtask
    (id, campaign_id, record_id, ordinal, start, "end", section, checksum, needed, taken, held,
     priority_run)
SELECT uuidv7(), campaign_id, id, 0, 0, length(text), '', 0, %s, 0, false, 0
FROM annotation_record WHERE campaign_id = %s
"""


def make_campaign(n_tasks: int, needed: int = 3):
    from annotation.models import Campaign

    labels = [{"key": k, "name": k.capitalize(), "hint": ""} for k in ("yes", "no", "unclear")]
    campaign = Campaign.objects.create(
        name=f"{n_tasks} tasks", question="Is it one?", labels=labels, needed=needed, state="open",
        joining="anyone", n_tasks=n_tasks,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(INSERT_RECORDS, [campaign.pk, n_tasks])
        cursor.execute(INSERT_TASKS, [needed, campaign.pk])
        cursor.execute("VACUUM ANALYZE annotation_microtask")
    return campaign


def make_volunteers(campaign, n: int, password: str) -> list[str]:
    from django.contrib.auth.hashers import make_password

    from annotation.models import User, Volunteer

    hashed = make_password(password)
    prefix = uuid.uuid4().hex[:6]
    users = User.objects.bulk_create(
        [User(username=f"bench-{prefix}-{i}", password=hashed) for i in range(n)]
    )
    now = timezone.now()
    Volunteer.objects.bulk_create(
        [Volunteer(user=u, campaign=campaign, origin="simulated", consented_at=now) for u in users]
    )
    return [user.username for user in users]


class Browser:
    """One kept-alive connection with a session cookie and a CSRF token, as a volunteer's browser has them."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            headers |= {"Content-Type": content_type, "X-CSRFToken": self.cookies.get("csrftoken", "")}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        for value in response.headers.get_all("Set-Cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.split(";", 1)[0]
        return response.status, response.read()

    def sign_in(self, username: str, password: str) -> None:
        _, page = self.request("GET", "/accounts/login/")
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1].decode()
        form = {"login": username, "password": password, "csrfmiddlewaretoken": token}
        body = urllib.parse.urlencode(form).encode()
        status, _ = self.request("POST", "/accounts/login/", body, "application/x-www-form-urlencoded")
        if status != 302:
            raise SystemExit(f"sign-in answered {status}")

    def post(self, path: str, data: dict) -> tuple[int, dict | None]:
        status, body = self.request("POST", path, json.dumps(data).encode(), "application/json")
        return status, json.loads(body) if body else None
