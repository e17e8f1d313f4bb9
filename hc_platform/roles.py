"""The admin site is for system admins: a role on the site, which `is_staff` alone does not give."""

from functools import update_wrapper

from django.contrib.admin import AdminSite
from django.contrib.auth.backends import BaseBackend
from django.http import Http404

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

    def admin_view(self, view, cacheable=False):
        """To others who are signed in there is no such page: signing in again would not help them."""
        guarded = super().admin_view(view, cacheable)

        def for_system_admins(request, *args, **kwargs):
            if request.user.is_authenticated and not self.has_permission(request):
                raise Http404
            return guarded(request, *args, **kwargs)

        return update_wrapper(for_system_admins, guarded)
