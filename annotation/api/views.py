"""What all API views share."""

from rest_framework.exceptions import ValidationError
from rest_framework.views import APIView


class PlatformAPIView(APIView):
    """An API view that refuses query parameters it does not know."""

    query_parameters: frozenset[str] = frozenset()

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        unknown = sorted(set(request.query_params) - self.query_parameters)
        if unknown:
            raise ValidationError({name[:50]: ["There is no such query parameter."] for name in unknown})
