from annotation.services.guideline import render_guideline


def test_markdown_becomes_html_with_tables():
    html = render_guideline("A **plan** does not count.\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<strong>plan</strong>" in html
    assert "<td>1</td>" in html


def test_html_that_was_typed_is_shown_as_text():
    html = render_guideline("<script>alert(1)</script><img src=x onerror=alert(1)>")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_a_link_that_would_run_a_script_is_not_a_link():
    assert "href" not in render_guideline("[a](javascript:alert(1)) [b](data:text/html,x)")
    assert 'href="https://example.org/"' in render_guideline("[a](https://example.org/)")


def test_images_are_left_out_because_they_would_call_elsewhere():
    assert "<img" not in render_guideline("![a](https://example.org/a.png)")
