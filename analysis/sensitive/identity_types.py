"""Numbers that states and offices give to people. Base rates are of random digits of the shape, measured."""

from __future__ import annotations

from analysis.columns import Kind
from analysis.sensitive.detectors import DIGITS, TEXTS, Detector, shaped, standard
from analysis.sensitive.findings import Category

_ID = ("national id", "national number", "identity number", "citizen id", "personal id", "id number", "tax id")


def _national(
    kind: str,
    title: str,
    module: str,
    shape: str,
    base_rate: float,
    strong: str,
    kinds: frozenset[Kind] = DIGITS,
    most_evidence: float = 9.0,
) -> Detector:
    return Detector(
        kind,
        title,
        Category.PII,
        kinds,
        strong=tuple(strong.split(",")),
        weak=_ID,
        check=standard(module, shape),
        base_rate=base_rate,
        most_evidence=most_evidence,
    )


# Numbers that any nine digits nearly always are: the dashes say a little, the name must say the rest.
_SSN = Detector(
    "us_ssn",
    "US social security number",
    Category.PII,
    DIGITS,
    strong=("ssn", "social security", "social security number", "soc sec"),
    weak=("tax id", "national id", "tin"),
    check=standard("us.ssn", r"\d{3}-?\d{2}-?\d{4}"),
    base_rate=0.89,
    most_evidence=1.0,
)

_SSN_DASHED = Detector(
    "us_ssn",
    "US social security number",
    Category.PII,
    TEXTS,
    strong=_SSN.strong,
    weak=_SSN.weak,
    check=standard("us.ssn", r"\d{3}-\d{2}-\d{4}"),
    base_rate=0.1,  # few other numbers are written in groups of three, two and four
    most_evidence=2.5,
)

_NINO = Detector(
    "uk_nino",
    "UK national insurance number",
    Category.PII,
    TEXTS,
    strong=("nino", "national insurance", "ni number"),
    weak=_ID,
    check=shaped(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
    base_rate=0.085,
)

_MOD_11_2 = standard("iso7064.mod_11_2", r"\d{17}[0-9X]")

IDENTITY_TYPES = (
    _SSN,
    _SSN_DASHED,
    _NINO,
    _national(
        "ca_sin",
        "Canadian social insurance number",
        "ca.sin",
        r"\d{3}[ -]?\d{3}[ -]?\d{3}",
        0.082,
        "sin,social insurance",
    ),
    _national(
        "in_aadhaar", "Indian Aadhaar number", "in_.aadhaar", r"\d{4} ?\d{4} ?\d{4}", 0.08, "aadhaar,aadhar,uidai"
    ),
    _national(
        "in_pan",
        "Indian permanent account number",
        "in_.pan",
        r"[A-Z]{5}\d{4}[A-Z]",
        0.43,
        "pan card,pan number",
        TEXTS,
        3.0,
    ),
    _national("pl_pesel", "Polish PESEL", "pl.pesel", r"\d{11}", 0.02, "pesel"),
    _national("br_cpf", "Brazilian CPF", "br.cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", 0.011, "cpf"),
    _national(
        "de_tax_id",
        "German tax identification number",
        "de.idnr",
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        0.005,
        "steuer id,idnr,steueridentifikationsnummer",
    ),
    _national("es_dni", "Spanish DNI", "es.dni", r"\d{8}-?[A-Z]", 0.04, "dni,nif", TEXTS),
    _national("es_nie", "Spanish NIE", "es.nie", r"[XYZ]-?\d{7}-?[A-Z]", 0.04, "nie", TEXTS),
    _national(
        "fr_nir",
        "French social security number",
        "fr.nir",
        r"[12] ?\d{2} ?\d{2} ?\w{2} ?\d{3} ?\d{3} ?\d{2}",
        0.011,
        "nir,numero securite sociale",
    ),
    _national(
        "it_fiscal_code",
        "Italian codice fiscale",
        "it.codicefiscale",
        r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]",
        0.02,
        "codice fiscale,fiscal code",
        TEXTS,
    ),
    _national("nl_bsn", "Dutch BSN", "nl.bsn", r"\d{9}", 0.09, "bsn,burgerservicenummer"),
    _national(
        "se_personal_number",
        "Swedish personal number",
        "se.personnummer",
        r"(?:\d{2})?\d{6}[-+]?\d{4}",
        0.004,
        "personnummer",
    ),
    _national(
        "fi_hetu",
        "Finnish personal identity code",
        "fi.hetu",
        r"\d{6}[-+A]\d{3}[0-9A-Y]",
        0.0012,
        "hetu,henkilotunnus",
        TEXTS,
    ),
    _national("dk_cpr", "Danish CPR number", "dk.cpr", r"\d{6}-?\d{4}", 0.035, "cpr", DIGITS, 1.5),
    _national(
        "no_birth_number", "Norwegian birth number", "no.fodselsnummer", r"\d{6} ?\d{5}", 0.002, "fodselsnummer,fnr"
    ),
    _national(
        "be_national_number",
        "Belgian national number",
        "be.nn",
        r"\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}",
        0.003,
        "rijksregisternummer,numero national",
    ),
    _national("za_id", "South African identity number", "za.idnr", r"\d{13}", 0.0009, "sa id,rsa id"),
    Detector(
        "cn_resident_id",
        "Chinese resident identity number",
        Category.PII,
        DIGITS,
        strong=("shenfenzheng", "resident id"),
        weak=_ID,
        check=shaped(r"[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9X]", _MOD_11_2),
        base_rate=0.001,
    ),
    _national(
        "kr_rrn", "Korean resident registration number", "kr.rrn", r"\d{6}-?\d{7}", 0.004, "rrn,resident registration"
    ),
    _national("mx_curp", "Mexican CURP", "mx.curp", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", 0.0005, "curp", TEXTS),
    _national(
        "tr_identity_number", "Turkish identity number", "tr.tckimlik", r"[1-9]\d{10}", 0.011, "tckimlik,tc kimlik,tckn"
    ),
    _national("ch_ahv", "Swiss AHV number", "ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}", 0.1, "ahv,avs"),
    _national("ro_cnp", "Romanian CNP", "ro.cnp", r"[1-9]\d{12}", 0.003, "cnp"),
    _national("bg_egn", "Bulgarian EGN", "bg.egn", r"\d{10}", 0.012, "egn"),
    Detector(
        "passport_number",
        "Passport number",
        Category.PII,
        DIGITS,
        strong=("passport", "passport number", "passport id"),
        check=shaped(r"[A-Z]{0,2}\d{6,9}[A-Z]?|[CFGHJKLMNPRTVWXYZ0-9]{9,10}"),
        base_rate=0.5,
        most_evidence=0.5,
        needs_name=True,
    ),
    Detector(
        "driver_licence",
        "Driver's licence number",
        Category.PII,
        DIGITS,
        strong=(
            "driver license",
            "driver licence",
            "drivers license",
            "drivers licence",
            "driving licence",
            "dl number",
        ),
        check=shaped(r"(?=[A-Z0-9 -]*\d)[A-Z0-9][A-Z0-9 -]{4,19}"),
        base_rate=0.5,
        most_evidence=0.5,
        needs_name=True,
    ),
)
