"""Who may make an account: everyone, or who holds an invitation."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.db import transaction
from django.shortcuts import redirect
from django.utils import timezone

from annotation.errors import InvitationUnusable
from annotation.services.joining import redeem_invitation, usable_invitation


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request) -> bool:
        if settings.SIGN_UP == "open":
            return True
        token = request.session.get("invitation", "")
        return bool(token) and usable_invitation(token, now=timezone.now()) is not None

    def save_user(self, request, user, form, commit=True):
        """Where accounts come by invitation, each uses one up in the same moment."""
        if settings.SIGN_UP == "open":
            return super().save_user(request, user, form, commit)
        try:
            with transaction.atomic():
                user = super().save_user(request, user, form, commit)
                redeem_invitation(request.session["invitation"], user, now=timezone.now())
        except InvitationUnusable as error:
            raise ImmediateHttpResponse(redirect("account_signup")) from error
        return user
