"""What says something of somebody's health."""

from __future__ import annotations

from analysis.sensitive.detectors import DIGITS, TEXTS, Detector, shaped, standard
from analysis.sensitive.findings import Category
from analysis.sensitive.word_lists import BLOOD_TYPES

_LUHN = standard("luhn", r"\d{15}")


def _is_npi(value: str) -> bool:
    return _LUHN(f"80840{value}")  # the prefix of health in the United States


HEALTH_TYPES = (
    Detector(
        "uk_nhs_number",
        "UK NHS number",
        Category.PHI,
        DIGITS,
        strong=("nhs", "nhs number"),
        weak=("patient id", "national id"),
        check=standard("gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
        base_rate=0.095,
    ),
    Detector(
        "us_npi",
        "US national provider identifier",
        Category.PHI,
        DIGITS,
        strong=("npi", "provider id", "provider number"),
        check=shaped(r"[12]\d{9}", _is_npi),
        base_rate=0.1,
    ),
    Detector(
        "icd_code",
        "Diagnosis code (ICD-10)",
        Category.PHI,
        TEXTS,
        strong=("icd", "icd10", "icd 10", "icd code", "diagnosis code", "diagnosis"),
        check=shaped(r"[A-TV-Z]\d[0-9AB](?:\.[0-9A-Z]{1,4})?"),
        base_rate=0.02,
        most_evidence=1.5,
        needs_name=True,
    ),
    Detector(
        "medical_record_number",
        "Medical record number",
        Category.PHI,
        DIGITS,
        strong=("mrn", "medical record", "medical record number", "patient id", "patient number", "chart number"),
        check=shaped(r"(?=[A-Z0-9-]*\d)[A-Z0-9-]{4,20}"),
        base_rate=0.5,
        most_evidence=0.4,
        needs_name=True,
    ),
    Detector(
        "health_insurance_number",
        "Health insurance number",
        Category.PHI,
        DIGITS,
        strong=(
            "health insurance",
            "insurance number",
            "medicare",
            "medicare number",
            "medicaid",
            "health plan",
            "member number",
        ),
        check=shaped(r"(?=[A-Z0-9 -]*\d)[A-Z0-9][A-Z0-9 -]{4,19}"),
        base_rate=0.5,
        most_evidence=0.4,
        needs_name=True,
    ),
    Detector(
        "blood_type",
        "Blood group",
        Category.PHI,
        TEXTS,
        strong=("blood type", "blood group", "blutgruppe"),
        check=lambda value: value.casefold().replace(" ", "") in BLOOD_TYPES,
        base_rate=1e-3,
        most_evidence=4.0,
    ),
    Detector(
        "diagnosis",
        "Diagnosis or treatment",
        Category.PHI,
        TEXTS,
        strong=(
            "diagnosis",
            "diagnoses",
            "medication",
            "prescription",
            "treatment",
            "allergies",
            "allergy",
            "symptoms",
            "disease",
        ),
        check=lambda value: len(value) > 3 and any(map(str.isalpha, value)),
        base_rate=0.7,
        most_evidence=0.3,
        needs_name=True,
    ),
)
