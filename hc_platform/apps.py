from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PlatformConfig(AppConfig):
    name = "hc_platform"


class PlatformAdminConfig(AdminConfig):
    default_site = "hc_platform.roles.PlatformAdminSite"
