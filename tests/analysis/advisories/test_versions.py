"""Versions as servers really tell them."""

import pytest

from analysis.advisories.versions import line_of, of, parse


@pytest.mark.parametrize(
    ("product", "text", "number", "numbers", "packaging", "line"),
    [
        ("postgresql", "15.19", 150019, (15, 19), None, "15"),
        ("postgresql", "15.18 (Debian 15.18-0+deb12u1)", 150018, (15, 18), "Debian 15.18-0+deb12u1", "15"),
        # The compiler's brackets say nothing of who packed the server.
        (
            "postgresql",
            "PostgreSQL 15.18 on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0)",
            0,
            (15, 18),
            None,
            "15",
        ),
        ("postgresql", "9.6.24", 90624, (9, 6, 24), None, "9.6"),
        ("postgresql", "18beta1", 180000, (18,), None, "18"),
        # The number is believed: some providers put their own name before the version.
        ("postgresql", "17.2 (Ubuntu 17.2-1.pgdg)", 170002, (17, 2), "Ubuntu 17.2-1.pgdg", "17"),
        ("mariadb", "10.11.19-MariaDB", 0, (10, 11, 19), None, "10.11"),
        ("mariadb", "10.11.19-MariaDB-0+deb12u1", 0, (10, 11, 19), "0+deb12u1", "10.11"),
        ("mariadb", "5.5.5-10.6.12-MariaDB-log", 0, (10, 6, 12), None, "10.6"),
        ("mysql", "8.0.45-0ubuntu0.22.04.1", 0, (8, 0, 45), "0ubuntu0.22.04.1", "8.0"),
        ("mysql", "8.4.9-log", 0, (8, 4, 9), None, "8.4"),
        # Percona's builds of MySQL.
        ("mysql", "8.0.36-28", 0, (8, 0, 36), "28", "8.0"),
        ("sqlite", "3.40.1", 0, (3, 40, 1), None, "3.40"),
    ],
)
def test_a_version_is_read_with_who_packed_it(
    product: str, text: str, number: int, numbers: tuple[int, ...], packaging: str | None, line: str
) -> None:
    version = parse(product, text, number)

    assert (version.numbers, version.packaging) == (numbers, packaging)
    assert line_of(product, version.numbers) == line


def test_ten_comes_after_nine() -> None:
    assert of("15.9") < of("15.10") < of("16")
    assert of("15") == of("15.0.0") < of("15.0.1")


@pytest.mark.parametrize("text", ["", "unknown", "v15"])
def test_a_text_without_a_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins with a number, such as"):
        parse("postgresql", text)
