"""For system admins: accounts and settings. Records, tasks and answers are not here on purpose."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from annotation.models import Campaign, Import, Invitation, Membership, TrailEntry, User


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0


@admin.register(User)
class AccountAdmin(UserAdmin):
    inlines = [MembershipInline]
    list_display = ["username", "is_active", "last_login", "date_joined"]
    list_filter = ["is_active", "memberships__role"]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "role", "campaign"]
    list_filter = ["role"]
    autocomplete_fields = ["user"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "role", "n_uses", "max_uses", "expires_at"]
    exclude = ["token_sha256"]


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ["name", "state", "unit", "n_tasks", "created_at"]
    list_filter = ["state"]


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    list_display = ["file_name", "campaign", "state", "n_imported", "n_refused", "created_at"]
    list_filter = ["state"]


@admin.register(TrailEntry)
class TrailEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "user", "verb", "campaign"]
    list_filter = ["verb"]
