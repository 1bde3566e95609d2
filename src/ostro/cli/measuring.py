"""Measurements of some models, one after another, and what is told of them."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ostro import __version__
from ostro.cli.options import Running
from ostro.cli.output import print_json
from ostro.config import Geometry
from ostro.errors import OstroError
from ostro.evaluation.benchmark_data import BenchmarkData
from ostro.evaluation.measurement import Found, Measurement
from ostro.evaluation.report.contents import Report, Section
from ostro.evaluation.report.files import write_report
from ostro.evaluation.report.text import section_lines
from ostro.evaluation.results import Results
from ostro.evaluation.subject import Subject, open_subject
from ostro.runtime.environment import Environment
from ostro.runtime.extras import require_extra
from ostro.runtime.machine import describe_machine
from ostro.runtime.progress import Progress, TerminalProgress
from ostro.runtime.settings import usable_cores

FoundByName = Mapping[str, Mapping[str, Found]]
"""What was found, by the name of the measurement and of the model."""


@dataclass(frozen=True)
class Asked:
    """What all commands of ``ostro eval`` take."""

    models: Sequence[str]
    running: Running
    report: Path | None
    as_json: bool
    seed: int = 0
    data: Path | None = None
    limit: int | None = None

    @property
    def threads(self) -> int:
        """What models will compute with."""
        return self.running.threads or Environment.read().threads or usable_cores()

    def benchmark_data(self, what: str) -> BenchmarkData:
        """The folder of ``--data``; an OstroError says that ``what`` needs it."""
        if self.data is None:
            raise OstroError(f"{what} needs data; give its folder with --data DIR")
        return BenchmarkData(self.data)


@dataclass(frozen=True)
class Offer:
    """A measurement that may turn out impossible: for want of data, or with one of the models."""

    title: str
    make: Callable[[], Measurement]
    is_required: bool = True
    """Whether the command then fails; else the report says why there is nothing."""


def run(asked: Asked, offers: Sequence[Offer]) -> None:
    """Measure, print, and write the report."""
    progress = TerminalProgress()
    tell(asked, measured(asked, offers, progress), progress)


def measured(
    asked: Asked,
    offers: Sequence[Offer],
    progress: Progress,
    *,
    pictures: Callable[[Mapping[str, Geometry], FoundByName], Section] | None = None,
) -> list[Section]:
    """A section for each offer; and ``pictures`` of all that was found, if they are wanted."""
    subjects = open_subjects(asked, progress)
    geometries = {subject.name: subject.geometry for subject in subjects}
    measurements, left_out = chosen(offers, subjects)
    found = measure(measurements, subjects, progress)
    sections = [*(one.section(found[one.name]) for one in measurements), *left_out]
    return sections if pictures is None else [*sections, pictures(geometries, found)]


def chosen(
    offers: Sequence[Offer], subjects: Sequence[Subject]
) -> tuple[list[Measurement], list[Section]]:
    """What can be measured of all models, and what the report says in place of the rest."""
    measurements: list[Measurement] = []
    left_out: list[Section] = []
    for offer in offers:
        try:
            measurement = offer.make()
            for subject in subjects:
                measurement.check(subject)
        except OstroError as error:
            if offer.is_required:
                raise
            left_out.append(_left_out(offer.title, str(error)))
        else:
            measurements.append(measurement)
    return measurements, left_out


def open_subjects(asked: Asked, progress: Progress) -> list[Subject]:
    """Look at all models, and at where the report is to go, before anything is computed."""
    require_report(asked.report)
    if len(set(asked.models)) < len(asked.models):
        raise OstroError("a model is named twice; name each once")
    subjects = [open_subject_of(model, asked, progress) for model in asked.models]
    if len({subject.name for subject in subjects}) < len(subjects):
        raise OstroError("two models have the same name; give their folders other names")
    return subjects


def open_subject_of(model: str, asked: Asked, progress: Progress) -> Subject:
    """Look at a model, which will be loaded as the options say."""
    return open_subject(
        model,
        environment=Environment.read(),
        progress=progress,
        **asked.running.arguments(),
    )


def require_report(report: Path | None) -> None:
    """Refuse a report that could not be written in the end."""
    if report is None:
        return
    require_extra("matplotlib", "evaluate")
    if report.suffix.lower() not in (".html", ".htm"):
        raise OstroError(f"--report {report}: give the name of an .html file")


def measure(
    measurements: Sequence[Measurement], subjects: list[Subject], progress: Progress
) -> dict[str, dict[str, Found]]:
    """What was found, by measurement and model. One model is in memory at a time."""
    results = Results(Environment.read().evaluations)
    found: dict[str, dict[str, Found]] = {measurement.name: {} for measurement in measurements}
    while subjects:
        subject = subjects.pop(0)
        for measurement in measurements:
            found[measurement.name][subject.name] = measurement.measure(subject, results, progress)
    return found


def tell(asked: Asked, sections: Sequence[Section], progress: Progress) -> None:
    """Print the sections, and write the report that was asked for."""
    if asked.as_json:
        print_json({section.name: dict(section.data) for section in sections})
    else:
        for section in sections:
            print("\n".join(section_lines(section)), end="\n\n")
    write(asked, sections, progress)


def write(asked: Asked, sections: Sequence[Section], progress: Progress) -> None:
    """The report, if one was asked for."""
    if asked.report is None:
        return
    title = "ostro eval: " + ", ".join(asked.models)
    report = Report(title=title, facts=_facts(asked), sections=sections)
    page, *others = write_report(report, asked.report)
    progress.note(
        f"written: {page}, and {len(others)} files in {others[0].parent}"
        if others
        else f"written: {page}"
    )


def _facts(asked: Asked) -> list[tuple[str, str]]:
    return [
        ("models", ", ".join(asked.models)),
        ("command", " ".join(["ostro", *sys.argv[1:]])),
        ("date", date.today().isoformat()),
        ("machine", describe_machine()),
        ("ostro", __version__),
    ]


def _left_out(title: str, reason: str) -> Section:
    name = title.lower().replace(" ", "-")
    block = f"No data: {reason}."
    return Section(name=name, title=title, protocol="", blocks=[block], data={"missing": reason})
