"""Who may do what, route by route: the table routes_by_role.csv against the running URLconf.

Each cell is the status that a role gets for an object of the campaign at hand: `volunteer` holds the place,
`fellow` is another volunteer of the same campaign, `other_…` belong to another one. `random` is what an id
that nobody has gives to whoever is signed in. What is not theirs is 404 and not 403.
"""

import csv
import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from annotation.models import Assignment
from tests.world import ROLES, World, people_with_passwords

pytestmark = pytest.mark.django_db
TABLE = Path(__file__).with_name("routes_by_role.csv")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
MODEL_OF_ADMIN = re.compile(r"admin/(\w+/\w+/).+")


def rows() -> dict[tuple[str, str], dict[str, str]]:
    with TABLE.open(encoding="utf-8") as file:
        return {(row["method"], row["route"]): row for row in csv.DictReader(file)}


def url_patterns(patterns=None, prefix: str = "") -> list[tuple[str, str | None]]:
    """(route, name) of everything that the URLconf knows."""
    found = []
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += url_patterns(entry.url_patterns, route)
        else:
            found.append((route, entry.name))
    return found


def tabled_routes() -> dict[str, str | None]:
    """Every route but the single pages of a model in the admin site, which its list page stands for."""
    return {route: name for route, name in url_patterns() if not MODEL_OF_ADMIN.match(route)}


def path_of(world: World, route: str, name: str | None) -> str:
    """The route with ids of the campaign in it; only what is answered can be mended."""
    ids = world.ids | ({"assignment_id": world.answered} if name == "api_revise" else {})
    return filled(route, ids)


def filled(route: str, ids: dict) -> str:
    """Whatever is not in `ids` becomes an id that nobody has."""
    route = route.replace("(?P<url>.*)$", "no-such-page/")
    route = re.sub(r"\^\(\?P<app_label>[^)]*\)/\$", "annotation/", route)
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(ids.get(match[1], uuid4())), route)


def body_of(method: str, name: str | None) -> dict:
    """A request that is right in itself, so that only the role decides."""
    sent = {
        ("POST", "api_answer"): {"key": str(uuid4()), "answer": {"label": "yes"}},
        ("POST", "api_revise"): {"key": str(uuid4()), "answer": {"label": "no"}},
        ("POST", "api_skip"): {"reason": "unclear"},
        ("POST", "api_state"): {"state": "paused"},
        ("PATCH", "api_campaign"): {"name": "Renamed"},
        ("PATCH", "api_policy"): {"min_new_labels": 50},
        ("PATCH", "api_volunteer"): {"taken_out": True},
        ("POST", "api_standing"): {"standing": "excluded"},
        ("POST", "api_decide"): {"answer": {"label": "no"}},
        ("POST", "api_predict"): {"texts": ["No rash."]},
        ("POST", "api_doubt"): {"note": "What of a warning?"},
        ("POST", "guideline_preview"): {"guideline": "*a*"},
        ("POST", "api_campaigns"): {
            "name": "N", "question": "Q?", "labels": [{"key": "yes"}, {"key": "no"}],
        },
    }  # fmt: skip
    return sent.get((method, name), {})


def form_of(name: str | None) -> dict:
    """The same for pages, which send forms."""
    labels = {"labels-TOTAL_FORMS": "2", "labels-INITIAL_FORMS": "2"}
    labels |= {"labels-0-name": "Yes", "labels-1-name": "No"}
    campaign = {
        "name": "N", "question": "Q?", "unit": "document", "joining": "invited", "needed": "3",
        "lease_minutes": "15", "kind": "choice", "aggregation": "majority", "stopping": "fixed",
    }  # fmt: skip
    changed = labels | {"labels-0-key": "yes", "labels-1-key": "no"} | campaign
    upload = {"file": SimpleUploadedFile("a.csv", b"id,text\n1,No rash.\n"), "deidentified": "true"}
    return {
        "api_imports": upload,
        "campaign_upload": upload,
        "campaign_create": labels | campaign,
        "campaign_edit": changed,
        "campaign_state": {"state": "paused"},
        "campaign_release": {"confirmed": "yes"},
        "campaign_part": {"part": "out"},
        "campaign_standing": {"standing": "excluded"},
        "campaign_decide": {"value": '{"label": "no"}'},
        "campaign_doubt": {"note": "What of a warning?"},
        "campaign_people": {"role": "volunteer", "max_uses": "1", "valid_days": "1"},
        "training_policy": {
            "min_new_labels": "50", "min_interval_minutes": "60", "acquisition": "margin",
            "exploration_percent": "20", "gold_percent": "100", "refit_labels": "50",
        },
        "account_login": {"login": "nobody", "password": "wrong wrong"},
    }.get(name, {})  # fmt: skip


def ask(session: str, method: str, path: str, name: str | None) -> int:
    """The status of one request, whose traces are rolled back."""
    client = Client()
    if session:
        client.cookies["sessionid"] = session
    takes_json = path.startswith("/api/") or name == "guideline_preview"
    if method != "GET" and takes_json and name != "api_imports":
        sent = {"data": body_of(method, name), "content_type": "application/json"}
    else:
        sent = {"data": form_of(name)} if method == "POST" else {}
    with transaction.atomic():
        status = getattr(client, method.lower())(path, **sent).status_code
        transaction.set_rollback(True)
    return status


@pytest.fixture
def world(settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path
    return World()


def test_every_route_has_a_row_in_the_table():
    routes = set(tabled_routes())
    in_table = {route for _, route in rows()}
    assert sorted(routes - in_table) == [], "these routes have no row in routes_by_role.csv"
    assert sorted(in_table - routes) == [], "routes_by_role.csv speaks of routes that are gone"


def test_every_operation_of_the_schema_has_a_row_and_no_other_is_answered():
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    documented = {(method.upper(), path[1:]) for path, methods in paths.items() for method in methods}
    tabled = {
        (method, re.sub(r"<uuid:(\w+)>", r"{\1}", route))
        for method, route in rows()
        if route.startswith("api/") and route != "api/v1/schema/"
    }
    assert documented == tabled


@pytest.mark.parametrize("role", ROLES)
def test_the_role_gets_what_the_table_says(world, role):
    names, session = tabled_routes(), world.sessions()[role]
    wrong = []
    for (method, route), row in rows().items():
        status = ask(session, method, path_of(world, route, names[route]), names[route])
        if str(status) != row[role]:
            wrong.append(f"{method} {route}: {status}, the table says {row[role]}")
    assert not wrong, "\n".join([f"as {role}:", *wrong])


@pytest.mark.parametrize("role", ["volunteer", "campaign_admin"])
def test_an_id_that_nobody_has_is_not_found(world, role):
    names, session = tabled_routes(), world.sessions()[role]
    wrong = []
    for (method, route), row in rows().items():
        if "<uuid:" in route or "<str:" in route:
            status = ask(session, method, filled(route, {}), names[route])
            if str(status) != row["random"]:
                wrong.append(f"{method} {route}: {status}, the table says {row['random']}")
    assert not wrong, "\n".join([f"as {role}:", *wrong])


def test_a_method_without_a_row_is_refused(world):
    names, session = tabled_routes(), world.sessions()["campaign_admin"]
    answered = []
    for route in {route for _, route in rows()}:
        if route.startswith(("admin/", "accounts/")):
            continue  # others' views: to most people there is nothing, or a redirect for whoever is signed in
        for method in set(METHODS) - {method for method, tabled in rows() if tabled == route}:
            status = ask(session, method, path_of(world, route, names[route]), names[route])
            if status != 405:
                answered.append(f"{method} {route}: {status}")
    assert not answered, "\n".join(answered)


def test_an_unknown_query_parameter_is_refused_by_every_route_of_the_api(world):
    names, sessions = tabled_routes(), world.sessions()
    taken = []
    for (method, route), row in rows().items():
        if not route.startswith("api/") or route == "api/v1/schema/":
            continue
        role = next(role for role in ROLES if row[role].startswith("2") or row[role] == "422")
        path = path_of(world, route, names[route]) + "?surprise=1"
        if (status := ask(sessions[role], method, path, names[route])) != 400:
            taken.append(f"{method} {route}: {status}")
    assert not taken, "\n".join(taken)


# --- The admin site ---


def test_the_admin_site_does_not_exist_for_anybody_but_system_admins(world):
    [staff] = people_with_passwords(1)
    staff.is_staff = True
    staff.save()
    staff.user_permissions.set(Permission.objects.all())
    world.users["staff"] = staff
    sessions = world.sessions()
    seen = []
    for route, name in url_patterns():
        if not route.startswith("admin/") or route == "admin/login/":
            continue
        path = filled(route, {})
        for role in ("campaign_admin", "staff"):
            if (status := ask(sessions[role], "GET", path, name)) != 404:
                seen.append(f"{route} as {role}: {status}")
        if (status := ask("", "GET", path, name)) != 302:
            seen.append(f"{route} signed out: {status}")
    assert not seen, "\n".join(seen)


def test_no_table_with_record_text_or_answers_is_in_the_admin_site():
    shown = {model.__name__ for model in admin.site._registry}
    private = {
        "Record", "MicroTask", "Assignment", "Answer", "AnswerRevision", "Consensus", "Gold", "RefusedRow",
        "Volunteer", "VolunteerDay", "Prediction", "Explanation", "PredictionJob", "Session",
    }  # fmt: skip
    assert not shown & private


def test_a_system_admin_without_is_staff_can_work_in_the_admin_site(world):
    user = world.users["system_admin"]
    assert not user.is_staff
    session = world.sessions()["system_admin"]
    assert ask(session, "GET", f"/admin/annotation/user/{user.pk}/change/", None) == 200


# --- What the rows hold apart, said once in words ---


def test_a_fellow_volunteer_cannot_answer_for_the_one_who_holds_the_place(world):
    session = world.sessions()["fellow"]
    client = Client()
    client.cookies["sessionid"] = session
    body = {"key": str(uuid4()), "answer": {"label": "no"}}
    reply = client.post(f"/api/v1/assignments/{world.held}/answer/", body, content_type="application/json")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert Assignment.objects.get(pk=world.held).state == Assignment.State.OPEN
