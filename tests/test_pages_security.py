"""What every page carries, how sessions live, who may make an account, and that records stay text."""

import json
import os
import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.utils import timezone
from knox.models import AuthToken

from annotation.models import Campaign, Invitation, Membership, Role, User, Volunteer
from annotation.services.guideline import render_guideline
from annotation.services.intake import imports
from annotation.services.joining import invite
from hc_platform.uploads import BoundedUploadHandler
from tests.factories import PASSWORD, make_campaign, make_tasks, make_volunteer
from tests.test_routes_by_role import filled, url_patterns
from tests.world import World

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another horse battery staple"
FAULTS = {
    "another origin": r"""(?:src|href|action|poster|data|srcset)\s*=\s*["'](?:https?:)?//""",
    "inline script": r"""<script(?![^>]*\b(?:src|nonce)=)(?![^>]*type="application/json")""",
    "inline handler or style": r"<[a-z][^>]*\s(?:on[a-z]+|style)\s*=|<style",
}
MARK = "<i data-planted>not HTML</i>"


@pytest.fixture(autouse=True)
def fresh_limits():
    cache.clear()


@pytest.fixture
def world(settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path
    return World()


def signed_in(user: User, **options) -> Client:
    client = Client(**options)
    client.force_login(user, backend="hc_platform.sessions.AccountBackend")
    return client


def sign_in(client: Client, username: str, password: str = PASSWORD):
    return client.post("/accounts/login/", {"login": username, "password": password})


def every_get(world: World, *, admin_site: bool = True):
    """(role, path, response) of all pages and readings, also those that the role is refused."""
    roles = ["volunteer", "campaign_admin", "system_admin"]
    clients = {"anonymous": Client()} | {role: signed_in(world.users[role]) for role in roles}
    for route, _ in url_patterns():
        if route.startswith("admin/") and not admin_site:
            continue
        path = filled(route, world.ids)
        for role, client in clients.items():
            if role == "system_admin" or not route.startswith("admin/"):
                yield role, path, client.get(path)


# --- Headers and origins ---


def test_every_response_is_under_the_policy_kept_in_no_cache_and_free_of_other_origins(world):
    world.campaign.guideline = "[Read more](https://example.org/)"
    world.campaign.save()
    faults, n_pages = [], 0
    for role, path, response in every_get(world):
        if policy_fault := fault_of_policy(response):
            faults.append(f"{path} as {role}: {policy_fault}")
        if "no-store" not in response.get("Cache-Control", ""):
            faults.append(f"{path} as {role}: may be kept in caches")
        # One page of django-celery-beat has an inline script; it is blocked, and the page works without.
        if is_page(response) and "/django_celery_beat/" not in path:
            n_pages += 1
            faults += [f"{path} as {role}: {fault}" for fault in faults_of_page(response.content.decode())]
    assert n_pages > 100
    assert not faults, "\n".join(sorted(set(faults)))


def is_page(response) -> bool:
    return response.get("Content-Type", "").startswith("text/html")


def fault_of_policy(response) -> str | None:
    policy = response.get("Content-Security-Policy", "")
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";") if part.strip()}
    if directives.get("default-src") != ["'none'"] or directives.get("frame-ancestors") != ["'none'"]:
        return "no policy"
    if "unsafe-" in policy or "http:" in policy or "https:" in policy or "*" in policy:
        return f"the policy is too wide: {policy}"
    if directives.get("base-uri") != ["'none'"] or directives.get("form-action") != ["'self'"]:
        return "base-uri or form-action is missing"
    return None


def faults_of_page(html: str) -> list[str]:
    """What the policy would block, or what leads to somebody else's server."""
    own = html.replace('<a href="https://example.org/" rel="noopener noreferrer">', "<a>")  # the guideline's
    found = {name: re.search(pattern, own, re.IGNORECASE) for name, pattern in FAULTS.items()}
    return [f"{name}: {match[0][:80]}" for name, match in found.items() if match]


def test_scripts_of_a_page_carry_the_nonce_of_its_policy_which_is_new_each_time(world):
    client = signed_in(world.users["volunteer"])
    path = f"/campaigns/{world.campaign.pk}/label/"
    nonces = set()
    for _ in range(2):
        response = client.get(path)
        [nonce] = re.findall(r"'nonce-([^']+)'", response["Content-Security-Policy"])
        in_page = set(re.findall(r'<script[^>]*nonce="([^"]*)"', response.content.decode()))
        assert in_page == {nonce}
        nonces.add(nonce)
    assert len(nonces) == 2


def test_a_request_for_another_host_gets_an_error_page_under_the_policy():
    response = Client().get("/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert fault_of_policy(response) is None
    assert "evil.example" not in response.content.decode()


def test_other_headers_close_what_browsers_leave_open():
    response = Client().get("/accounts/login/")
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


# --- Error pages ---


def test_an_unforeseen_error_of_the_api_is_json_without_its_words(world, monkeypatch, caplog):
    from annotation.api import campaigns

    def break_down(*args, **kwargs):
        raise RuntimeError("Erika Mustermann, born 3 May 1951")

    monkeypatch.setattr(campaigns.dashboard, "dashboard_of", break_down)
    client = signed_in(world.users["campaign_admin"], raise_request_exception=False)
    response = client.get(f"/api/v1/campaigns/{world.campaign.pk}/dashboard/")
    assert response.status_code == 500
    assert response.json()["code"] == "unforeseen"
    assert "Mustermann" not in response.content.decode()
    assert "Traceback" not in response.content.decode()
    assert any(record.exc_info for record in caplog.records)  # it is not lost


def test_an_unforeseen_error_of_a_page_shows_neither_its_words_nor_its_place(world, monkeypatch):
    from annotation.views import dashboard

    def break_down(*args, **kwargs):
        raise RuntimeError("Erika Mustermann, born 3 May 1951")

    monkeypatch.setattr(dashboard, "dashboard_of", break_down)
    client = signed_in(world.users["campaign_admin"], raise_request_exception=False)
    response = client.get(f"/campaigns/{world.campaign.pk}/")
    assert response.status_code == 500
    page = response.content.decode()
    assert "Something broke on our side" in page
    assert "Mustermann" not in page and "RuntimeError" not in page and "dashboard.py" not in page


def test_an_address_of_the_api_that_does_not_exist_is_json(world):
    response = signed_in(world.users["volunteer"]).get("/api/v1/no-such-thing/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_form_without_its_token_is_refused_with_a_page_of_our_own(bob):
    client = Client(enforce_csrf_checks=True)
    response = sign_in(client, "bob")
    assert response.status_code == 403
    assert fault_of_policy(response) is None
    assert "<style" not in response.content.decode()
    assert "This is not yours to see" in response.content.decode()


def test_the_api_refuses_a_session_without_the_token_and_shows_no_browsable_page(world):
    client = signed_in(world.users["volunteer"], enforce_csrf_checks=True)
    refused = client.post(f"/api/v1/campaigns/{world.campaign.pk}/claim/")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    browser = client.get("/api/v1/campaigns/", headers={"accept": "text/html"})
    assert (browser.status_code, browser["Content-Type"]) == (406, "application/json")


# --- Sessions and passwords ---


def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites(bob):
    client = Client()
    client.get("/accounts/login/")
    sign_in(client, "bob")
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert cookie["httponly"] and cookie["samesite"] == "Lax", name


def test_signing_in_gives_a_new_session_and_a_new_csrf_token(bob):
    client = Client()
    session = client.session
    session["invitation"] = "x"
    session.save()
    client.cookies["sessionid"] = before = session.session_key
    client.get("/accounts/login/")
    token_before = client.cookies["csrftoken"].value
    assert sign_in(client, "bob").status_code == 302
    assert client.cookies["sessionid"].value != before
    assert not Session.objects.filter(session_key=before).exists()
    assert client.cookies["csrftoken"].value != token_before


def test_signing_out_ends_the_session_on_the_server(bob):
    client = Client()
    sign_in(client, "bob")
    key = client.cookies["sessionid"].value
    client.post("/accounts/logout/")
    assert not Session.objects.filter(session_key=key).exists()
    stolen = Client()
    stolen.cookies["sessionid"] = key
    assert stolen.get("/").status_code == 302


def test_signing_out_needs_a_form_and_no_link_does_it(bob):
    client = Client()
    sign_in(client, "bob")
    client.get("/accounts/logout/")
    assert client.get("/").status_code == 200


def test_a_new_password_ends_all_other_sessions(bob):
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        sign_in(client, "bob")
    sent = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert here.post("/accounts/password/change/", sent).status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


def test_an_account_that_is_switched_off_is_out_at_once_with_session_and_token(bob):
    client = Client()
    sign_in(client, "bob")
    _, token = AuthToken.objects.create(bob)
    bearer = {"authorization": f"Token {token}"}
    assert Client().get("/api/v1/campaigns/", headers=bearer).status_code == 200
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/").status_code == 302
    assert Client().get("/api/v1/campaigns/", headers=bearer).status_code == 403
    assert sign_in(Client(), "bob").status_code == 200  # the form again


def test_tokens_are_stored_as_hashes(bob):
    stored, token = AuthToken.objects.create(bob)
    assert token not in str(AuthToken.objects.filter(pk=stored.pk).values())


def test_passwords_are_stored_with_argon2id_at_the_recommended_cost(bob):
    assert bob.password.startswith("argon2$argon2id$")
    _, *own = settings.PASSWORD_HASHERS  # the first one is the tests'
    with override_settings(PASSWORD_HASHERS=own):
        stored = make_password(PASSWORD)
        assert stored.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
        assert check_password(PASSWORD, stored)
        assert check_password(PASSWORD, bob.password)


ELSEWHERE = ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_page_sends_people_to_another_site_after_signing_in(bob, target):
    client = Client()
    sent = {"login": "bob", "password": PASSWORD, "next": target}
    for response in (client.post("/accounts/login/", sent), client.get("/accounts/login/", {"next": target})):
        assert response.status_code == 302
        assert response["Location"] == "/"


def test_the_admin_sign_in_page_passes_no_other_site_on(bob):
    client = signed_in(bob)
    response = client.get("/admin/login/", {"next": "https://evil.example/"}, follow=True)
    assert [path for path, _ in response.redirect_chain][-1] == "/"


# --- Too many tries ---


def test_five_wrong_passwords_slow_an_account_down_even_for_the_right_one(bob):
    for _ in range(5):
        sign_in(Client(), "bob", "wrong")
    response = sign_in(Client(), "bob")
    assert response.status_code == 200
    assert "Too many failed login attempts" in response.content.decode()


def test_ten_wrong_passwords_lock_the_account_for_this_address_and_keep_none_of_them(bob, charlie):
    for n in range(11):
        cache.clear()  # the slower limit above, whose minutes pass meanwhile
        response = sign_in(Client(), "bob", f"a wrong password {n}")
    assert response.status_code == 429
    assert "Too many tries" in response.content.decode()
    assert sign_in(Client(), "bob").status_code == 429  # also with the right one
    assert sign_in(Client(), "charlie").status_code == 302
    assert "a wrong password" not in json.dumps(list(AccessAttempt.objects.values()), default=str)


# --- Making an account ---


def sign_up(client: Client, username: str, **more):
    sent = {"username": username, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    return client.post("/accounts/signup/", sent | more)


def test_accounts_come_by_invitation_unless_the_site_says_otherwise(settings):
    assert settings.SIGN_UP == "invitation"
    response = sign_up(Client(), "dora")
    assert "By invitation" in response.content.decode()
    assert not User.objects.filter(username="dora").exists()


def test_open_sign_up_makes_an_account_without_a_role(settings):
    settings.SIGN_UP = "open"
    assert sign_up(Client(), "dora").status_code == 302
    dora = User.objects.get(username="dora")
    assert not dora.memberships.exists() and not dora.is_staff and not dora.is_superuser


def test_sign_up_takes_no_more_than_a_name_and_a_password(settings):
    settings.SIGN_UP = "open"
    sign_up(Client(), "dora", is_staff="1", is_superuser="1", email="dora@example.org", role="system_admin")
    dora = User.objects.get(username="dora")
    assert (dora.is_staff, dora.is_superuser, dora.email, dora.memberships.count()) == (False, False, "", 0)


def make_link(alice, *, max_uses=1, valid=timedelta(days=1)) -> tuple[str, Campaign]:
    campaign, now = make_campaign(), timezone.now()
    return invite(campaign, Role.VOLUNTEER, by=alice, max_uses=max_uses, valid=valid, now=now), campaign


def test_an_invitation_opens_sign_up_and_leads_into_its_campaign(alice):
    token, campaign = make_link(alice)
    client = Client()
    link = client.get(f"/invitation/{token}/")
    assert link["Location"].startswith("/accounts/signup/")
    made = sign_up(client, "dora", next=f"/invitation/{token}/")
    page = client.get(made["Location"], follow=True).content.decode()
    assert campaign.name in page and "Welcome" in page and "run out" not in page
    dora = User.objects.get(username="dora")
    assert list(dora.memberships.values_list("campaign", "role")) == [(campaign.pk, Role.VOLUNTEER)]
    assert Invitation.objects.get().n_uses == 1


def test_an_invitation_for_one_makes_one_account_even_if_its_link_is_not_opened_again(alice):
    token, _ = make_link(alice)
    for username in ("dora", "emil"):
        client = Client()
        client.get(f"/invitation/{token}/")
        sign_up(client, username, next="/")
    assert User.objects.filter(username__in=["dora", "emil"]).count() == 1


@pytest.mark.parametrize("state", ["run out", "used up", "invented"])
def test_an_invitation_that_is_not_usable_opens_nothing(alice, state):
    token, _ = make_link(alice, valid=timedelta(seconds=-1) if state == "run out" else timedelta(days=1))
    if state == "used up":
        Invitation.objects.update(n_uses=1)
    client = Client()
    client.get(f"/invitation/{'x' * 32 if state == 'invented' else token}/")
    assert "By invitation" in sign_up(client, "dora").content.decode()
    assert not User.objects.filter(username="dora").exists()


def test_the_database_keeps_only_the_hash_of_an_invitation(alice):
    token, _ = make_link(alice)
    assert token not in str(Invitation.objects.values())


# --- Uploads ---


@pytest.fixture
def kept_sizes(monkeypatch):
    """How large the files are that a request leaves on the disk while it lasts."""
    sizes, complete = [], BoundedUploadHandler.file_complete

    def look(handler, file_size):
        sizes.append(os.fstat(handler.file.fileno()).st_size)
        return complete(handler, file_size)

    monkeypatch.setattr(BoundedUploadHandler, "file_complete", look)
    return sizes


def test_files_of_people_who_are_not_signed_in_are_not_kept(kept_sizes):
    file = SimpleUploadedFile("a.csv", b"x" * 100_000)
    Client().post("/accounts/login/", {"login": "a", "password": "b", "file": file})
    assert kept_sizes == [0]


def test_a_file_that_is_too_large_is_refused_and_not_kept_whole(world, monkeypatch, kept_sizes):
    monkeypatch.setattr(imports, "MAX_FILE_BYTES", 1000)
    files = {name: SimpleUploadedFile("a.csv", b"x" * 1_000_000) for name in ("file", "another")}
    path = f"/campaigns/{world.campaign.pk}/records/"
    response = signed_in(world.users["campaign_admin"]).post(path, files)
    assert "The file is larger than 1,000 bytes" in response.content.decode()
    assert 1000 < kept_sizes[0] < 100_000 and kept_sizes[1] == 0
    assert list(imports.settings.UPLOAD_DIR.iterdir()) == []


def test_a_program_may_upload_with_its_token(world):
    _, token = AuthToken.objects.create(world.users["campaign_admin"])
    file = SimpleUploadedFile("a.csv", b"id,text\n1,No rash.\n")
    reply = Client().post(
        f"/api/v1/campaigns/{world.campaign.pk}/imports/",
        {"file": file, "deidentified": "true"},
        headers={"authorization": f"Token {token}"},
    )
    assert (reply.status_code, reply.json()["state"]) == (202, "waiting")


# --- Before the first text ---


def test_no_text_is_shown_before_consent(bob):
    campaign = make_campaign()
    make_tasks(campaign, 3)
    Membership.objects.create(user=bob, campaign=campaign, role=Role.VOLUNTEER)
    client = signed_in(bob)
    label = client.get(f"/campaigns/{campaign.pk}/label/")
    assert label["Location"] == f"/campaigns/{campaign.pk}/consent/"
    assert "no rash was seen" not in client.get(label["Location"]).content.decode()
    claim = client.post(f"/api/v1/campaigns/{campaign.pk}/claim/", content_type="application/json")
    assert (claim.status_code, claim.json()["code"]) == (403, "consent_required")
    assert client.get(f"/api/v1/campaigns/{campaign.pk}/my-answers/").status_code == 404
    assert not Volunteer.objects.exists()
    client.post(label["Location"])
    claim = client.post(f"/api/v1/campaigns/{campaign.pk}/claim/", content_type="application/json")
    assert "no rash was seen" in claim.json()["task"]["text"]


def test_a_paused_campaign_that_anyone_may_join_is_not_shown_until_it_is_open(bob):
    campaign = make_campaign(joining=Campaign.Joining.ANYONE, state=Campaign.State.PAUSED)
    client = signed_in(bob)
    paths = [f"/campaigns/{campaign.pk}/consent/", f"/api/v1/campaigns/{campaign.pk}/"]
    assert [client.get(path).status_code for path in paths] == [404, 404]
    assert campaign.name not in client.get("/").content.decode()
    Campaign.objects.update(state=Campaign.State.OPEN)
    assert [client.get(path).status_code for path in paths] == [200, 200]


# --- Who sees whom ---


def test_a_campaign_admin_sees_pseudonyms_and_never_accounts(world):
    people = {
        world.users[role]: f"{role.replace('_', '-')}-by-name"
        for role in ("volunteer", "fellow", "reviewer", "system_admin")
    }
    for user, name in people.items():
        user.username, user.email, user.first_name = name, f"{name}@example.org", f"First {name}"
        user.save()
    client = signed_in(world.users["campaign_admin"])
    shown = ""
    for route, _ in url_patterns():
        if not route.startswith(("admin/", "accounts/")):
            response = client.get(filled(route, world.ids))
            shown += b"".join(response).decode() if response.streaming else response.content.decode()
    pseudonym = Volunteer.objects.get(user=world.users["volunteer"]).pseudonym
    assert pseudonym in shown
    assert [name for name in people.values() if name in shown] == []


def test_a_volunteer_has_another_pseudonym_in_each_campaign(bob):
    first, second = (make_volunteer(make_campaign(), bob) for _ in range(2))
    assert first.pseudonym != second.pseudonym


# --- Records are text, guidelines are sanitised ---


def test_what_people_type_is_shown_as_text_on_every_page(world):
    campaign = world.campaign
    campaign.name = campaign.question = campaign.rule = MARK
    campaign.guideline = MARK
    campaign.labels = [{"key": key, "name": MARK, "hint": MARK} for key in ("yes", "no", "unclear")]
    campaign.save()
    campaign.imports.update(file_name=MARK, failure=MARK)
    campaign.training_runs.update(failure=MARK)
    for record in campaign.records.all():
        record.text = MARK * 3
        record.save()
    Volunteer.objects.filter(user=world.users["volunteer"]).update(pseudonym=MARK[:20])
    shown, faults = 0, []
    for role, path, response in every_get(world, admin_site=False):
        if is_page(response):
            page = response.content.decode()
            shown += "&lt;i data-planted&gt;" in page
            if "<i data-planted" in page:
                faults.append(f"{path} as {role}")
    assert shown >= 10
    assert not faults, "\n".join(faults)


XSS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=https://evil.example></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](<javascript:alert(1)>)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    '[x](https://example.org "onmouseover=alert(1)")',
    '[x](https://example.org "\\" onmouseover=\\"alert(1)")',
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    "<style>body{display:none}</style>",
    "<div style='position:fixed;inset:0'>over all</div>",
    "<form action=https://evil.example><input name=password></form>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
    "# <details open ontoggle=alert(1)>",
    "<!--><script>alert(1)</script>-->",
]
ALLOWED_TAG = re.compile(
    r"</?(?:blockquote|br|code|em|h[1-4]|hr|li|ol|p|pre|strong|table|tbody|td|th|thead|tr|ul)\s?/?>"
    r'|<a(?: href="[^"<>]*")?(?: title="[^"<>]*")?(?: rel="noopener noreferrer")?>|</a>'
)


@pytest.mark.parametrize("markdown", XSS)
def test_a_guideline_becomes_nothing_but_plain_formatting(markdown):
    html = render_guideline(markdown)
    assert "<" not in ALLOWED_TAG.sub("", html), html
    schemes = {urlsplit(address).scheme for address in re.findall('href="([^"]*)"', html)}
    assert schemes <= {"http", "https", ""}, html  # without a scheme it is an address of this site


def test_a_guideline_keeps_what_a_guideline_needs():
    markdown = "## When\n\n1. *Rash* counts\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[more](https://example.org)"
    html = render_guideline(markdown)
    for wanted in ("<h2>When</h2>", "<li><em>Rash</em> counts</li>", "<td>2</td>"):
        assert wanted in html
    assert '<a href="https://example.org" rel="noopener noreferrer">more</a>' in html


def test_the_label_page_and_the_preview_use_the_same_sanitiser(world):
    Campaign.objects.filter(pk=world.campaign.pk).update(guideline="[x](javascript:alert(1)) **kept**")
    label = signed_in(world.users["volunteer"]).get(f"/campaigns/{world.campaign.pk}/label/").content.decode()
    sent = json.dumps({"guideline": "[x](javascript:alert(1)) **kept**"})
    preview = signed_in(world.users["campaign_admin"]).post(
        "/guideline-preview/", sent, content_type="application/json"
    )
    for html in (label, preview.json()["html"]):
        assert "<strong>kept</strong>" in html
        assert 'href="javascript' not in html


# --- Production ---


def test_metrics_are_for_whoever_holds_the_token(settings):
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "a long random value"
    for wrong in ("", "Bearer", "Bearer another", "a long"):
        assert Client().get("/metrics", headers={"authorization": wrong}).status_code == 404
    reply = Client().get("/metrics", headers={"authorization": "Bearer a long random value"})
    assert reply.status_code == 200
    assert "hc_open_assignments 0.0" in reply.content.decode()
