"""The four formats say the same, and no name breaks out of any of them."""

import base64
import csv
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from casa.evaluation.goals import GoalRate
from casa.evaluation.report.content import document
from casa.evaluation.report.csv_rows import rate_rows, render_csv
from casa.evaluation.report.document import rate_cell
from casa.evaluation.report.evidence import gather
from casa.evaluation.report.files import write_report
from casa.evaluation.report.html import render_html
from casa.evaluation.report.latex import render_latex
from casa.evaluation.report.markdown import render_markdown
from casa.evaluation.report.runs import run_of
from casa.evaluation.summary import Rate

from .logs import ANSWER, Asked, log

EVIL = '<script>alert(1)</script>$\\frac | _a_ `c` [l](x) \\input{/etc/passwd} "&%#^~\n\x1b[31m'


class Page(HTMLParser):
    """Tags, images and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.images, self.text = set(), [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.images += [value for name, value in attributes if name in ("src", "srcset")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def hostile():
    found = [Asked(f"a{i}", True, i % 2 == 0, f"{EVIL}{i % 2}", f"{EVIL}{i % 3}") for i in range(12)]
    found += [Asked(f"b{i}", False, i % 2 == 0, category=f"{EVIL}{i % 2}") for i in range(6)]
    logs = [log(f"{provider}/{EVIL}", "jailbreakv", found) for provider in ("undefended", "casa")]
    return gather([run_of(one, "x.eval") for one in logs])


def test_the_page_needs_nothing_else(content):
    page = Page(render_html(content))
    assert not {"script", "link", "iframe", "object"} & page.tags
    assert page.images and all(image.startswith("data:image/svg+xml;base64,") for image in page.images)
    assert "prefers-color-scheme: dark" in render_html(content)
    assert "default-src 'none'" in render_html(content)


def test_names_are_escaped_on_the_page(hostile):
    html = render_html(document(hostile))
    page = Page(html)
    assert "<script" not in html
    assert "<script>alert(1)</script>$\\frac | _a_" in page.text
    for image in page.images:
        drawn = base64.b64decode(image.partition(",")[2]).decode()
        assert ElementTree.fromstring(drawn).tag.endswith("svg")
        assert "<script" not in drawn


def test_names_are_escaped_in_markdown(hostile):
    text = render_markdown(document(hostile))
    assert "<script" not in text and "\x1b" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\$\\\\frac \\| \\_a\\_ \\`c\\` \\[l\\](x)" in text
    for block in text.split("\n\n"):
        assert (
            len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
        )  # as many cells in each row


def test_names_are_escaped_in_latex(hostile):
    text = render_latex(document(hostile))
    assert "\\input" not in text and "\\frac" not in text
    assert "\\textbackslash{}input\\{/etc/passwd\\} \\textquotedbl{}\\&\\%\\#\\textasciicircum{}" in text
    rows = [line for line in text.splitlines() if line.startswith("jailbreakv")]
    assert rows and all(line.endswith(r" \\") for line in rows)
    assert set(re.findall(r"\\begin\{(\w+)\}", text)) == {"table", "adjustbox", "tabular"}
    assert re.findall(r"\\begin\{(\w+)\}", text) == [*["table", "adjustbox", "tabular"] * len(document(hostile).tables)]
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == len(document(hostile).tables)


def test_names_come_back_from_the_csv(hostile):
    rows = list(csv.DictReader(io.StringIO(render_csv(rate_rows(hostile)))))
    assert {row["model"] for row in rows} == {one.model for one in hostile.runs}


def rate_in(row):
    numbers = int(row["successes"]), int(row["n"]), float(row["rate"]), float(row["low"]), float(row["high"])
    return GoalRate(*numbers, int(row["goals"])) if row["goals"] else Rate.of(*numbers[:2])


def test_the_formats_say_the_same(evidence, content):
    page, markdown, latex = Page(render_html(content)).text, render_markdown(content), render_latex(content)
    rows = list(csv.DictReader(io.StringIO(render_csv(rate_rows(evidence)))))
    shown = [row for row in rows if row["what"] != "called unsafe" and row["by"] != "pool"]
    assert len(shown) > 40 and {row["by"] for row in shown} == {"all", "attack", "category", "modality"}
    for row in shown:
        cell = rate_cell(rate_in(row))
        assert float(row["rate"]) == int(row["successes"]) / int(row["n"])
        assert f"{cell.text}{cell.small}" in page
        assert f"| {cell.text} ({cell.small}) |".replace("*", r"\*") in markdown
        assert f"& {cell.text} {{\\scriptsize ({cell.small})}}".replace("\N{EN DASH}", "--") in latex


def test_every_table_is_in_every_format_with_words(content):
    page, markdown, latex = Page(render_html(content)).text, render_markdown(content), render_latex(content)
    for number, table in enumerate(content.tables, start=1):
        assert table.title in page
        assert f"\\label{{tab:casa-{number}}}" in latex
    assert markdown.count("**") == 2 * len(content.tables)


def test_unscored_items_are_in_every_format(tmp_path):
    run = run_of(log("casa/x", "advbench", [Asked("a", complied=None), Asked("b", complied=None)]), "x.eval")
    texts = {path.suffix: path.read_text() for path in write_report(gather([run]), tmp_path / "new" / "folder")}
    assert set(texts) == {".html", ".md", ".csv", ".tex"}
    assert all("2 of 2 items could not be scored" in texts[kind] for kind in (".html", ".md", ".tex"))
    (row,) = csv.DictReader(io.StringIO(texts[".csv"]))
    assert (row["n"], row["rate"], row["unscored"]) == ("0", "", "2")


def test_no_answers_are_printed(content, evidence):
    for text in (render_html(content), render_markdown(content), render_latex(content), repr(rate_rows(evidence))):
        assert ANSWER not in text


def test_a_report_is_the_same_twice(evidence, content):
    assert render_html(content) == render_html(document(evidence))


def test_the_latex_has_as_many_cells_as_columns_and_every_brace_is_closed(hostile, content):
    for text in (render_latex(document(hostile)), render_latex(content)):
        assert not any(ord(character) > 0x17F for character in text), "what inputenc and T1 do not have"
        for table in text.split(r"\begin{tabular}")[1:]:
            columns = re.match(r"\{([lr]+)\}", table)[1]
            rows = [row for row in table.split("\n") if row.endswith(r" \\")]
            assert rows and all(len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1 for row in rows)
        plain = re.sub(r"\\[\\{}]", "", text)
        depth = 0
        for character in plain:
            depth += {"{": 1, "}": -1}.get(character, 0)
            assert depth >= 0
        assert depth == 0
