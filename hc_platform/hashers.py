"""Argon2id at a cost that a small server can pay for several people signing in at once."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    """OWASP's first recommended Argon2id setting (19 MiB, 2 passes, 1 lane).

    Django's default takes about 100 MiB a hash, so that a burst of sign-ins could exhaust a small server.
    Source: OWASP Password Storage Cheat Sheet.
    """

    time_cost = 2
    memory_cost = 19_456  # KiB
    parallelism = 1
