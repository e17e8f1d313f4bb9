"""The admin site is for system admins: a role on the site, which `is_staff` alone does not give."""

from django.contrib.admin import AdminSite
from django.contrib.auth.backends import BaseBackend

from annotation.models import Membership, Role


def is_system_admin(user) -> bool:
    if not user.is_active or not user.is_authenticated:
        return False
    return user.is_superuser or Membership.objects.filter(user=user, role=Role.SYSTEM_ADMIN).exists()


class SystemAdminBackend(BaseBackend):
    """Lets system admins change what the admin site shows: accounts and settings, never records."""

    def has_perm(self, user_obj, perm, obj=None) -> bool:
        return is_system_admin(user_obj)

    def has_module_perms(self, user_obj, app_label) -> bool:
        return is_system_admin(user_obj)


class PlatformAdminSite(AdminSite):
    site_header = site_title = "HC Platform"
    index_title = "Accounts and settings"

    def has_permission(self, request) -> bool:
        return is_system_admin(request.user)
