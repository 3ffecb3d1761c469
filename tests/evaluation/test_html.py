import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from casa.evaluation.demo import report
from casa.evaluation.html import render_report
from casa.model.outputs import Attribution


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def made(loaded, rows):
    return report("some <model>", loaded[0], rows)


def test_the_page_needs_nothing_else(made):
    page = Page(render_report(made))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert all(not attributes.get("href", "#").startswith(("http", "//")) for _, attributes in page.tags)
    assert "url(" not in render_report(made)


def test_what_models_and_users_wrote_is_escaped(made):
    evil = '<script>alert("x")</script>'
    first = made.rows[0]
    row = replace(
        first,
        base_answer=evil,
        casa_answer=evil,
        prompt=replace(first.prompt, text=evil),
        attributions=[Attribution(evil, 0.5, False)],
    )
    html = render_report(replace(made, rows=[row]))
    assert "<script" not in html
    assert Page(html).text.count(evil) == 4
    assert "some <model>" in Page(html).text


def test_the_tokens_spell_the_prompt_and_carry_their_share(made):
    page = Page(render_report(made))
    tokens = [attributes for tag, attributes in page.tags if tag == "span" and "--w:" in attributes.get("style", "")]
    shares = [token.weight for row in made.rows for token in row.attributions]
    assert [float(token["title"]) for token in tokens] == pytest.approx(shares, abs=1e-4)
    assert sum("control" in token["class"] for token in tokens) == sum(
        token.control for row in made.rows for token in row.attributions
    )
    assert "A <b>jailbreak</b> prompt & more" in page.text


def test_colours_are_no_deeper_than_v_s(made):
    depths = [float(depth) for depth in re.findall(r"--w:([\d.]+)", render_report(made))]
    assert max(depths) == pytest.approx(max(row.verdict.risk for row in made.rows), abs=1e-3)


def test_dark_mode_and_phones_are_provided_for(made):
    html = render_report(made)
    assert "prefers-color-scheme: dark" in html
    assert "max-width: 760px" in html
    assert 'name="viewport"' in html
