import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from casa.evaluation.demo_report import report, summarise
from casa.evaluation.drawings import as_data_url, wav_url
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


@pytest.fixture
def with_media(loaded, rows, media_rows):
    return report("some <model>", loaded[0], [*rows, *media_rows])


def test_text_alone_needs_no_media(made):
    html = render_report(made)
    assert not {"img", "audio"} & {tag for tag, _ in Page(html).tags}
    assert "in pictures and speech" not in Page(html).text.lower().split("how it was measured")[0]


def test_the_page_needs_nothing_else(with_media):
    page = Page(render_report(with_media))
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert all(attributes.get("src", "data:").startswith("data:") for _, attributes in page.tags)
    assert all(not attributes.get("href", "#").startswith(("http", "//")) for _, attributes in page.tags)
    assert "url(" not in render_report(with_media)


def test_what_was_sent_is_shown_and_heard_and_the_shares_over_it(with_media):
    page = Page(render_report(with_media))
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [one["class"] for one in pictures] == ["thumb", "thumb", *["heat image"] * 2, *["heat audio"] * 2]
    sent = [as_data_url(row.medium["image"]) for row in with_media.rows if row.form == "picture"]
    assert [one["src"] for one in pictures[:2]] == sent
    assert not {one["src"] for one in pictures[2:]} & set(sent)
    clips = [attributes["src"] for tag, attributes in page.tags if tag == "audio"]
    assert clips == [
        wav_url(row.medium["audio"], row.medium["sampling_rate"])
        for row in with_media.rows
        if row.form == "spelled speech"
    ]


def test_every_row_links_to_a_card_of_its_own(with_media):
    page = Page(render_report(with_media))
    cards = [attributes["id"] for tag, attributes in page.tags if tag == "article"]
    links = [attributes["href"].removeprefix("#") for tag, attributes in page.tags if tag == "a"]
    assert len(set(cards)) == len(with_media.rows)
    assert set(links) == set(cards)


def test_counts_by_form_stand_in_a_table_of_their_own(with_media):
    refused = [replace(row, base_refused=False, casa_refused=row.form != "text") for row in with_media.rows]
    text = " ".join(Page(render_report(replace(with_media, summary=summarise(refused)))).text.split())
    assert "picture 1/1 → 0/1 0/1 → 1/1" in text
    assert "spelled speech 1/1 → 0/1 0/1 → 1/1" in text
    assert "do not measure" in text


def test_the_share_on_a_medium_and_on_control_tokens_are_told_apart(with_media):
    text = Page(render_report(with_media)).text
    for row in with_media.rows:
        if row.medium:
            on = sum(token.weight for token in row.attributions if token.place) / row.verdict.risk
            control = sum(t.weight for t in row.attributions if t.control and not t.place) / row.verdict.risk
            assert f"{100 * control:.0f}% of v" in text
            assert f"{100 * on:.0f}% on the {'picture' if row.form == 'picture' else 'clip'}" in text


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
