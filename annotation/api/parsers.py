"""How a request's JSON is read: strictly, and never more of it than the site allows."""

import orjson
from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = "This request is larger than the site takes."


class JSONParser(BaseParser):
    """RFC 8259 and no more. DRF's own parser fails on deep nesting and lets half characters through,
    which no reply can be encoded with, and it reads a body of any length.
    """

    media_type = "application/json"
    max_bytes: int | None = None  # the site's limit, unless a view has a smaller one

    def parse(self, stream, media_type=None, parser_context=None):
        limit = self.max_bytes or settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge()
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"This is no JSON: {error}") from error
