"""A comparison as JUnit XML, which every CI system can show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from edgekit.errors import EdgekitError
from edgekit.profiling.comparison import Comparison
from edgekit.profiling.gates import GateResult


def write_junit(path: Path, comparison: Comparison, results: Sequence[GateResult]) -> None:
    """One test case a gate; without gates one for the verdict. EdgekitError where it cannot be written."""
    name = f"{comparison.a} against {comparison.b}"
    suite = ElementTree.Element("testsuite", name=f"edgekit compare: {name}")
    for result in results:
        _case(
            suite,
            name,
            result.gate.text,
            result.detail,
            failed=result.status == "failed",
            known=_known(result),
        )
    if not results:
        _case(suite, name, "verdict", comparison.verdict, failed=comparison.verdict == "worse", known=True)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    ElementTree.indent(suite)
    try:
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise EdgekitError(f"{path}: cannot be written: {error.strerror}") from error


def _known(result: GateResult) -> bool:
    return result.status != "inconclusive"


def _case(
    suite: ElementTree.Element, where: str, name: str, detail: str, *, failed: bool, known: bool
) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=where, name=name)
    if failed:
        ElementTree.SubElement(case, "failure", message=detail)
    elif not known:
        ElementTree.SubElement(case, "skipped", message=f"inconclusive: {detail}")
    ElementTree.SubElement(case, "system-out").text = detail
