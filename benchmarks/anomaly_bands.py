"""How well the anomaly band finds disturbances, beside simpler ways: `python -m benchmarks.anomaly_bands`.

Writes benchmarks/ANOMALIES.md. With the folder of a copy of the Numenta Anomaly Benchmark as argument its series are
scored instead, to standard output: `python -m benchmarks.anomaly_bands ../NAB`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from analysis.columns import Array
from analysis.monitoring.bands import BandOptions, band, fit
from benchmarks.anomaly_baselines import naive_seasonal, rolling_z, static_threshold
from benchmarks.anomaly_data import Labelled, made, numenta
from benchmarks.anomaly_noise import NOISES
from benchmarks.anomaly_scores import Scored, scored

REPORT = Path(__file__).parent / "ANOMALIES.md"
RATE = 1e-4
# What was looked at while the band was made had seeds from 9000 on.
SEEDS = (1, 2, 3)
_NOISE_SERIES, _NOISE_VALUES, _NOISE_PAST = 12, 5000, 1000

Detector = Callable[[Labelled, float], Array]


def our_band(series: Labelled, rate: float) -> Array:
    """The band as it is by default."""
    return band(series.at_ms, series.values, BandOptions(false_alarm_rate=rate)).is_anomalous


DETECTORS: dict[str, Detector] = {
    "band": our_band,
    "static threshold": static_threshold,
    "rolling z-score": rolling_z,
    "naive seasonal": naive_seasonal,
}


def main(arguments: list[str]) -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="a copy of the Numenta Anomaly Benchmark")
    folder: Path | None = parser.parse_args(arguments).folder
    if folder is not None:
        print("\n".join(_scores(numenta(folder))))
        return
    lines = [
        "# Anomaly bands",
        "",
        "`python -m benchmarks.anomaly_bands` wrote this. Nothing looks ahead: each value is judged by those before.",
        f"All are asked for {RATE:g} false alarms a value.",
        "",
        "## Disturbances found",
        "",
        f"{len(SEEDS)} times 58 made series of the kinds and lengths of the Numenta Anomaly Benchmark (seeds"
        f" {', '.join(map(str, SEEDS))}; while the band was made, others were looked at). NAB: its score by the"
        " standard profile, 0 for silence, 100 for perfection, with no threshold fitted to the corpus. Precision is of"
        " alarms, recall of labelled windows; a delay is from where the disturbance begins to show.",
        "",
        *_scores(series for seed in SEEDS for series in made(seed)),
        "",
        "Among the disturbances of machines are values that get stuck within the band: to it that is no anomaly.",
        "",
        "## By the rate that is asked for",
        "",
        f"The band alone, on the series of seed {SEEDS[0]}: what is found for how many false alarms is a choice.",
        "",
        *_by_rate(),
        "",
        "## False alarms on undisturbed series",
        "",
        f"{_NOISE_SERIES} series of {_NOISE_VALUES} values each, those after the first {_NOISE_PAST} counted: values"
        " outside the band over those promised. At 1 in 10,000 about 5 are promised of each kind: up to 10 of them are"
        " chance; beyond, the tail is heavier than its history shows.",
        "",
        *_noise_table(),
        "",
        "## Cost",
        "",
        *_costs(),
    ]
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _scores(corpus: Iterable[Labelled]) -> Iterator[str]:
    groups: dict[str, dict[str, Scored]] = defaultdict(lambda: defaultdict(Scored))
    for series in corpus:
        for name, detector in DETECTORS.items():
            each = scored(series, detector(series, RATE))
            groups[series.group][name] += each
            groups["all"][name] += each
    yield "| series | detector | NAB | precision | recall | F1 | false alarms a day | a value | median delay |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    total = groups.pop("all")
    yield from (_row("all", name, total[name]) for name in DETECTORS)
    yield from (_row(group, "band", found["band"]) for group, found in groups.items())


def _by_rate() -> Iterator[str]:
    rates = (1e-3, 1e-4, 1e-5)
    totals = dict.fromkeys(rates, Scored())
    for series in made(SEEDS[0]):
        for rate in rates:
            totals[rate] += scored(series, our_band(series, rate))
    yield "| asked for | NAB | precision | recall | F1 | false alarms a day | a value |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for rate, of in totals.items():
        figures = f"{of.numenta_percent:.1f} | {of.precision:.2f} | {of.recall:.2f} | {of.f1:.2f}"
        yield f"| {rate:g} | {figures} | {of.false_alarms / of.days:.3f} | {of.false_alarms / of.judged:.1e} |"


def _row(group: str, name: str, of: Scored) -> str:
    delay = f"{np.median(of.delays):.0f} min" if of.delays else "–"
    figures = [
        _figure(of.numenta_percent, ".1f"),
        _figure(of.precision, ".2f"),
        _figure(of.recall, ".2f"),
        _figure(of.f1, ".2f") if of.windows else "–",
        f"{of.false_alarms / of.days:.3f}",
        f"{of.false_alarms / of.judged:.1e}",
    ]
    return f"| {group} | {name} | {' | '.join(figures)} | {delay} |"


def _figure(value: float, form: str) -> str:
    return "–" if np.isnan(value) else format(value, form)


def _noise_table() -> Iterator[str]:
    rates = (1e-3, 1e-4)
    yield "| noise | " + " | ".join(f"outside, of {rate:g} promised" for rate in rates) + " |"
    yield "|---|" + "---:|" * len(rates)
    for name, make in NOISES.items():
        ratios = []
        for rate in rates:
            rng = np.random.default_rng([77, list(NOISES).index(name)])
            outside = counted = 0
            for _ in range(_NOISE_SERIES):
                values = make(rng, _NOISE_VALUES)
                at_ms = np.arange(_NOISE_VALUES, dtype=np.int64) * 300_000
                score = band(at_ms, values, BandOptions(false_alarm_rate=rate)).score[_NOISE_PAST:]
                outside += int(np.sum(np.abs(score) > 1.0))
                counted += len(score)
            ratios.append(f"{outside / (counted * rate):.2f} ({outside} of {counted})")
        yield f"| {name} | {' | '.join(ratios)} |"


def _costs() -> Iterator[str]:
    rng = np.random.default_rng(5)
    count = 4032
    at_ms = np.arange(count, dtype=np.int64) * 300_000
    values = 50.0 + 20.0 * np.sin(2 * np.pi * np.arange(count) / 288) + rng.standard_normal(count)
    fit(at_ms, values)
    started = time.process_time()
    model = fit(at_ms, values)
    fitting = time.process_time() - started
    assert model is not None
    more = (values[:2000] + rng.standard_normal(2000)).tolist()
    started = time.process_time()
    for place, value in enumerate(more):
        model.update(int(at_ms[-1]) + 300_000 * (place + 1), value)
    updating = (time.process_time() - started) / len(more)
    started = time.process_time()
    band(at_ms[-2000:], values[-2000:], start=1000)
    drawing = time.process_time() - started
    yield "Seconds of one core."
    yield ""
    yield f"- fitting {count} values (14 days of 5 minutes): {fitting * 1e3:.1f} ms"
    yield f"- judging and learning one more value: {updating * 1e6:.1f} µs"
    yield f"- drawing the band of 1,000 values after 1,000 others: {drawing * 1e3:.0f} ms"


if __name__ == "__main__":
    main(sys.argv[1:])
