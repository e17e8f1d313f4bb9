"""What the OpenAPI schema says of every operation without each view repeating it."""

PROBLEM = {"$ref": "#/components/schemas/Problem"}
ANY = {400: "What was sent can't be taken.", 403: "Not signed in, or not allowed.", 406: "Replies are JSON."}
WITH_ID = {404: "There is nothing here that you may see."}
WITH_BODY = {413: "Larger than the site takes.", 415: "This content type is not read here."}


def document_common_problems(result: dict, generator, request, public) -> dict:
    """A postprocessing hook of drf-spectacular; what a view says itself stays."""
    for path, operations in result["paths"].items():
        for operation in operations.values():
            problems = ANY | (WITH_ID if "{" in path else {})
            if "requestBody" in operation:
                problems |= WITH_BODY
            for status, meaning in problems.items():
                operation["responses"].setdefault(str(status), _problem(meaning))
    return result


def _problem(meaning: str) -> dict:
    return {"description": meaning, "content": {"application/json": {"schema": PROBLEM}}}
