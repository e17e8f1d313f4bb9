"""`{% chart "name" data %}`: a canvas for Chart.js, its data as JSON, and the same figures as a table."""

from django import template

register = template.Library()


@register.inclusion_tag("parts/chart.html")
def chart(name: str, data: dict) -> dict:
    """`data`: {title, kind: bar|line, x, y, labels: [...], series: [{name, values, tone, dashed}]}."""
    columns = [series["values"] for series in data["series"]]
    return {
        "name": name,
        "chart": data,
        "rows": list(zip(data["labels"], zip(*columns, strict=True), strict=True)),
    }


@register.filter
def percent(share: float | None) -> str:
    """0.6789 is "68 %": a thin, unbreakable space, and no decimals that nobody needs."""
    return "–" if share is None else f"{100 * share:.0f}\N{NARROW NO-BREAK SPACE}%"


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"
