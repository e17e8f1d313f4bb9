"""Who may make an account: everyone, or who holds an invitation."""

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.utils import timezone

from annotation.services.joining import usable_invitation


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request) -> bool:
        if settings.SIGN_UP == "open":
            return True
        token = request.session.get("invitation", "")
        return bool(token) and usable_invitation(token, now=timezone.now()) is not None
