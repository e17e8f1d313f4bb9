"""What every response carries."""


class NoStoreMiddleware:
    """Keep pages of signed-in people out of every cache: they may hold record text."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response
