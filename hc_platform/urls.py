from allauth.account import views as accounts
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularAPIView

from hc_platform import health

# Of allauth only what a site without mail needs; the names are those that it looks up itself.
ACCOUNTS = [
    path("login/", accounts.login, name="account_login"),
    path("logout/", accounts.logout, name="account_logout"),
    path("signup/", accounts.signup, name="account_signup"),
    path("password/change/", accounts.password_change, name="account_change_password"),
    path(
        "password/reset/",
        TemplateView.as_view(template_name="account/password_reset.html"),
        name="account_reset_password",
    ),
]

handler400 = "hc_platform.error_pages.bad_request"
handler404 = "hc_platform.error_pages.page_not_found"
handler500 = "hc_platform.error_pages.server_error"

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/v1/", include("annotation.api.urls")),
    path("api/v1/", include("training.api.urls")),
    path("", include("annotation.urls")),
    path("", include("training.urls")),
    path("accounts/", include(ACCOUNTS)),
    # One way to sign in: the admin's own page leads to it.
    path("admin/login/", RedirectView.as_view(pattern_name="account_login", query_string=True)),
    path("admin/", admin.site.urls),
]
