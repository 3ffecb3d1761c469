"""The whole report of some evidence."""

from __future__ import annotations

from casa.evaluation.report.document import Document
from casa.evaluation.report.evidence import Evidence
from casa.evaluation.report.sections.adaptive import adaptive_section
from casa.evaluation.report.sections.cost import cost_section
from casa.evaluation.report.sections.curves import curves_section
from casa.evaluation.report.sections.harmless import harmless_section
from casa.evaluation.report.sections.lengths import lengths_section
from casa.evaluation.report.sections.main_table import main_section
from casa.evaluation.report.sections.opening import opening
from casa.evaluation.report.sections.parts import parts_section
from casa.evaluation.report.sections.states import states_section
from casa.evaluation.report.sections.utility import utility_section
from casa.evaluation.report.sections.verdicts import verdicts_section

_TITLE = "Safety with and without CASA"
_SECTIONS = (
    opening,
    main_section,
    parts_section,
    curves_section,
    lengths_section,
    adaptive_section,
    verdicts_section,
    states_section,
    harmless_section,
    utility_section,
    cost_section,
)


def document(evidence: Evidence) -> Document:
    """Every section that the evidence holds something for."""
    made = (build(evidence) for build in _SECTIONS)
    return Document(_TITLE, tuple(section for section in made if section is not None))
