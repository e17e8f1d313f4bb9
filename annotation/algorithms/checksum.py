"""A short fingerprint of the text a task covers."""

import hashlib


def text_checksum(text: str) -> int:
    """64 bits of BLAKE2b over the UTF-8 text, as a signed integer that fits PostgreSQL's bigint.

    >>> text_checksum("cough") == text_checksum("cough"), text_checksum("cough") == text_checksum("Cough")
    (True, False)
    """
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
