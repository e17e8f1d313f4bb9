"""`{% chart "name" data %}`: a canvas for Chart.js, its data as JSON, and the same figures as a table."""

from django import template

from annotation import shares

register = template.Library()


@register.inclusion_tag("parts/chart.html")
def chart(name: str, data: dict) -> dict:
    """`data`: {title, kind: bar|line, x, y, labels: [...], series: [{name, values, tone, dashed}]}.

    With `at`, numbers one a label, a line's points stand there; without, one beside the other. With `range`,
    (low, high), the upright axis shows at least that.
    """
    columns = [series["values"] for series in data["series"]]
    return {
        "name": name,
        "chart": data,
        "rows": list(zip(data["labels"], zip(*columns, strict=True), strict=True)),
    }


@register.inclusion_tag("parts/interval.html")
def interval(low: float, value: float, high: float, words: str = "", middle: bool = False) -> dict:
    """A range of shares drawn on a line from 0 to 1, with its figure; in words for who can't see it.

    `middle` marks the middle of the line, where it is what the range is compared with.
    """
    ends = [round(100 * min(1.0, max(0.0, share)), 1) for share in (low, value, high)]
    return {
        "low": ends[0], "value": ends[1], "width": round(ends[2] - ends[0], 1),
        "words": words or f"{value:.2f}, between {low:.2f} and {high:.2f}", "middle": middle,
    }  # fmt: skip


@register.filter
def percent(share: float | None) -> str:
    return "–" if share is None else shares.percent(share)


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"
