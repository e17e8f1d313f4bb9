"""Argon2id at the least cost there is: tests make thousands of accounts, and nobody attacks them."""

from hc_platform.hashers import BoundedArgon2PasswordHasher


class QuickArgon2PasswordHasher(BoundedArgon2PasswordHasher):
    time_cost = 1
    memory_cost = 8  # KiB
