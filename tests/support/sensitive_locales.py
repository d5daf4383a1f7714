"""Columns of fifteen countries, types that the labelled columns have not, and things that look like sensitive ones.

Names of people, of columns and of streets are as the country writes them; numbers are valid. The lists of names that
classification ships were lengthened after a look at the first eleven countries, never after one at those in `UNSEEN`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from labelled_columns import Labelled, born, card, completed, digits, email, iban, letters, luhn

ROWS = 120
UNTOLD = ("f_12", "payload", "c", "wert", "dato", "col")

Chance = random.Random
Maker = Callable[[Chance], Any]


@dataclass(frozen=True)
class Locale:
    """`columns` are its names for a first name, a last name, a whole name, a phone and a street."""

    first: str
    last: str
    columns: tuple[str, str, str, str, str]
    phone: str
    street: str
    streets: str


# `#` is a digit, `{}` the name of a street.
LOCALES = {
    "de": Locale(
        "Lukas Anneliese Friedrich Hannelore Björn Käthe Torsten Ute Detlef Gudrun Matthias Silke",
        "Schäfer Krause Lehmann Schulze Vogel Winkler Brandt Seidel Haas Kühn Böhm Pohl",
        ("vorname", "nachname", "full_name", "telefon", "adresse"),
        "+49 ### #######",
        "{}straße ##",
        "Goethe Linden Bahnhof Schiller Mozart Birken",
    ),
    "fr": Locale(
        "Thibault Clémence Gaëlle Baptiste Solène Hugo Mathilde Étienne Océane Loïc Margaux Antoine",
        "Fournier Mercier Blanchet Chevalier Gauthier Perrin Morel Rousseau Lambert Fontaine Garnier",
        ("prenom", "nom_famille", "customer_name", "telephone", "adresse"),
        "0# ## ## ## ##",
        "## rue {}",
        "Pasteur Lafayette Voltaire Gambetta Rivoli Molière",
    ),
    "es": Locale(
        "Álvaro Marisol Ignacio Rocío Fernando Lucía Ramón Pilar Andrés Inés Gonzalo Elena",
        "Navarro Ortega Castillo Vázquez Iglesias Medina Cortés Serrano Molina Delgado Herrera",
        ("nombre", "apellido", "full_name", "telefono", "direccion"),
        "+34 6## ### ###",
        "Calle {} ##",
        "Mayor Serrano Alcalá Goya Velázquez Colón",
    ),
    "it": Locale(
        "Matteo Chiara Lorenzo Francesca Alessandro Martina Davide Elisa Riccardo Federica Simone",
        "Bianchi Romano Colombo Ricci Marino Greco Conti Esposito Gallo Barbieri Fontana",
        ("nome", "cognome", "full_name", "telefono", "indirizzo"),
        "+39 3## #######",
        "Via {} ##",
        "Garibaldi Mazzini Dante Cavour Verdi Roma",
    ),
    "nl": Locale(
        "Daan Sanne Bram Femke Jeroen Marieke Thijs Lotte Wouter Annemiek Sjoerd Maaike",
        "Jansen Bakker Visser Smit Meijer Mulder Bos Peters Hendriks Dekker Brouwer",
        ("voornaam", "achternaam", "full_name", "telefoon", "adres"),
        "+31 6 ########",
        "{}straat ##",
        "Kerk Dorps Molen School Beatrix Wilhelmina",
    ),
    "sv": Locale(
        "Gustav Astrid Nils Freja Oskar Elin Anders Karin Henrik Birgitta Magnus Linnea",
        "Andersson Karlsson Nilsson Eriksson Larsson Olsson Persson Svensson Gustafsson Lindberg",
        ("fornamn", "efternamn", "full_name", "telefon", "adress"),
        "+46 7# ### ## ##",
        "{}gatan ##",
        "Stor Kungs Drottning Vasa Skol Birger",
    ),
    "pl": Locale(
        "Krzysztof Agnieszka Tomasz Małgorzata Paweł Katarzyna Wojciech Zofia Marcin Jadwiga Piotr",
        "Wiśniewski Wójcik Kamiński Lewandowski Zieliński Szymański Dąbrowski Kozłowski Mazur",
        ("imie", "nazwisko", "full_name", "telefon", "adres"),
        "+48 ### ### ###",
        "ul. {} ##",
        "Mickiewicza Kościuszki Słowackiego Sienkiewicza Polna Leśna",
    ),
    "br": Locale(
        "Thiago Larissa Rafael Camila Gustavo Fernanda Vinícius Juliana Leandro Beatriz Caio",
        "Oliveira Souza Pereira Ferreira Carvalho Almeida Ribeiro Barbosa Nascimento Araújo",
        ("nome", "sobrenome", "full_name", "telefone", "endereco"),
        "+55 11 9####-####",
        "Rua {} ##",
        "Augusta Consolação Bandeira Flores Tiradentes",
    ),
    "in": Locale(
        "Rajesh Sunita Vikram Ananya Sanjay Kavita Rohit Deepika Suresh Meera Anil Lakshmi",
        "Sharma Gupta Reddy Iyer Singh Verma Nair Banerjee Chatterjee Mehta Joshi Rao",
        ("first_name", "last_name", "full_name", "mobile", "address"),
        "+91 9#### #####",
        "## {} Road",
        "Gandhi Nehru Linking Brigade Residency Anna",
    ),
    "tr": Locale(
        "Mustafa Ayşe Hüseyin Zeynep İbrahim Hatice Yusuf Emine Murat Merve Emre Büşra",
        "Demir Kaya Çelik Şahin Yıldız Öztürk Aydın Arslan Doğan Kılıç Aslan",
        ("ad", "soyad", "full_name", "telefon", "adres"),
        "+90 5## ### ## ##",
        "{} Caddesi ##",
        "Atatürk İstiklal Cumhuriyet Bağdat İnönü",
    ),
    "uk": Locale(
        "Alfie Poppy Harry Imogen Rupert Gemma Nigel Fiona Callum Siobhan Gareth Bronwyn",
        "Davies Evans Hughes Edwards Green Hall Wood Harrison Cooper Ward Turner Parker",
        ("forename", "surname", "patient_name", "phone", "home_address"),
        "07### ######",
        "## {} Close",
        "Victoria Orchard Priory Meadow Chapel Mill",
    ),
    "hu": Locale(
        "Gergely Zsófia Balázs Réka Attila Ildikó Csaba Eszter Zoltán Piroska",
        "Szabó Tóth Kiss Varga Farkas Balogh Papp Lakatos Juhász Mészáros",
        ("keresztnev", "vezeteknev", "full_name", "telefon", "cim"),
        "+36 30 ### ####",
        "{} utca ##",
        "Petőfi Rákóczi Kossuth Dózsa Ady",
    ),
    "fi": Locale(
        "Juhani Aino Mikko Kaisa Pekka Tuulikki Jukka Päivi Timo Anneli",
        "Mäkinen Nieminen Heikkinen Koskinen Laine Lehtonen Salminen Rantanen",
        ("etunimi", "sukunimi", "full_name", "puhelin", "osoite"),
        "+358 40 ### ####",
        "{}katu ##",
        "Mannerheimin Aleksanterin Hämeen Kauppa",
    ),
    "vn": Locale(
        "Linh Thảo Minh Hương Tuấn Dũng Quỳnh Phương Hải Ngọc",
        "Trần Lê Phạm Hoàng Vũ Đặng Bùi Đỗ Hồ Ngô",
        ("ten", "ho", "full_name", "dien_thoai", "dia_chi"),
        "+84 9# ### ####",
        "## đường {}",
        "Nguyễn Huệ Lợi Hai Bà",
    ),
    "ng": Locale(
        "Chinedu Ngozi Oluwaseun Adaeze Emeka Folake Tunde Amaka Ibrahim Yetunde",
        "Okonkwo Adebayo Eze Balogun Nwosu Ogunleye Bello Abubakar Obi",
        ("first_name", "surname", "full_name", "mobile", "address"),
        "+234 80# ### ####",
        "## {} Street",
        "Awolowo Adeola Allen Broad Marina",
    ),
}
UNSEEN = ("hu", "fi", "vn", "ng")


def filled(chance: Chance, pattern: str) -> str:
    return "".join(chance.choice("123456789") if sign == "#" else sign for sign in pattern)


def of_people(locale: Locale) -> dict[str, Maker]:
    first, last, streets = locale.first.split(), locale.last.split(), locale.streets.split()
    return {
        "first_name": lambda c: c.choice(first),
        "last_name": lambda c: c.choice(last),
        "full_name": lambda c: f"{c.choice(first)} {c.choice(last)}",
        "phone": lambda c: filled(c, locale.phone),
        "street_address": lambda c: filled(c, locale.street).format(c.choice(streets)),
    }


def valid(module: str, template: Maker) -> Maker:
    return lambda chance: completed(chance, f"stdnum.{module}", lambda: template(chance))


def in_words(maker: Maker) -> Maker:
    before, after = ["Called back", "Note", "Please see", "Wrote to"], ["on Monday", "again", "as asked"]
    return lambda c: f"{c.choice(before)} {maker(c)} {c.choice(after)}"


def one_of(*values: str) -> Maker:
    return lambda c: c.choice(values)


def hetu(chance: Chance) -> str:
    day, serial = born(chance, "dmy"), f"{chance.randrange(2, 900):03d}"
    return f"{day}-{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(day + serial) % 31]}"


# Types that the other generator has not: the maker, and a name that says it.
OTHERS: dict[str, tuple[Maker, str]] = {
    "se_personal_number": (
        valid("se.personnummer", lambda c: born(c, "ymd") + "-" + digits(c, 3) + "?"),
        "personnummer",
    ),
    "fi_hetu": (hetu, "hetu"),
    "be_national_number": (valid("be.nn", lambda c: born(c, "ymd") + digits(c, 3) + "??"), "rijksregisternummer"),
    "za_id": (valid("za.idnr", lambda c: born(c, "ymd") + digits(c, 4) + "08?"), "rsa_id"),
    "kr_rrn": (valid("kr.rrn", lambda c: born(c, "ymd") + "-1" + digits(c, 5) + "?"), "rrn"),
    "tr_identity_number": (valid("tr.tckimlik", lambda c: "1" + digits(c, 8) + "??"), "tckn"),
    "ch_ahv": (valid("ch.ssn", lambda c: f"756.{digits(c, 4)}.{digits(c, 4)}.{digits(c, 1)}?"), "ahv_number"),
    "bg_egn": (valid("bg.egn", lambda c: born(c, "ymd") + digits(c, 3) + "?"), "egn"),
    "fr_nir": (valid("fr.nir", lambda c: f"1{born(c, 'ym')}75{digits(c, 6)}??"), "nir"),
    "es_nie": (valid("es.nie", lambda c: f"X{digits(c, 7)}{c.choice('TRWAGMYFPDXBNJZSQVHLCKE')}"), "nie"),
    "bitcoin_address": (
        one_of("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        "btc_address",
    ),
    "card_in_text": (in_words(card), "remarks"),
    "email_in_text": (in_words(email), "remarks"),
    "iban_in_text": (in_words(iban), "remarks"),
    "phone_in_text": (in_words(lambda c: filled(c, "+44 20 #### ####")), "remarks"),
    "health_insurance_number": (lambda c: f"A{digits(c, 9)}", "health_insurance_no"),
}


# What is none of the types, under the names that such columns have.
NEGATIVES: dict[str, Maker] = {
    "order_no": lambda c: f"4{c.randrange(10**14, 10**15)}",
    "payment_reference": lambda c: f"51{digits(c, 14)}",
    "transaction": lambda c: int(f"4{digits(c, 15)}"),
    "track_and_trace": lambda c: f"3S{letters(c, 4, 'ABCDEF')}{digits(c, 9)}",
    "shipment": lambda c: f"1Z{letters(c, 6).upper()}{digits(c, 10)}",
    "epoch_ms": lambda c: str(c.randrange(15 * 10**11, 18 * 10**11)),
    "snowflake": lambda c: c.randrange(10**18, 2 * 10**18),
    "ean13": lambda c: completed(c, "stdnum.ean", lambda: "40" + digits(c, 10) + "?"),
    "luhn_checked": lambda c: luhn(f"9{digits(c, 14)}"),
    "isbn10": lambda c: digits(c, 10),
    "meter_reading": lambda c: f"{digits(c, 3)}-{digits(c, 4)}",
    "part": lambda c: f"{digits(c, 3)}.{digits(c, 3)}.{digits(c, 4)}",
    "drawing": lambda c: f"({digits(c, 2)}) {digits(c, 4)}",
    "sha256": lambda c: hashlib.sha256(digits(c, 12).encode()).hexdigest(),
    "git_sha": lambda c: hashlib.sha1(digits(c, 12).encode(), usedforsecurity=False).hexdigest()[:10],
    "build": lambda c: f"{c.randrange(1, 12)}.{c.randrange(40)}.{c.randrange(300)}.{c.randrange(9000)}",
    "iso_time": lambda c: f"2024-{c.randrange(1, 13):02d}-{c.randrange(1, 29):02d}T{c.randrange(24):02d}:30:00Z",
    "duration": lambda c: f"{c.randrange(24):02d}:{c.randrange(60):02d}:{c.randrange(60):02d}",
    "article_no": lambda c: f"{letters(c, 3, 'ABCXYZ')}-{digits(c, 5)}",
    "chemical": lambda c: f"{c.randrange(50, 9000)}-{digits(c, 2)}-{digits(c, 1)}",
    "isin": lambda c: f"US{digits(c, 10)}",
    "lei": lambda c: f"5299{letters(c, 14).upper()}{digits(c, 2)}",
    "icao": lambda c: letters(c, 4, "EDLFKPSA"),
    "locale": one_of("de_DE", "en_GB", "fr_FR"),
    "plant": one_of("Rosa canina", "Quercus robur", "Viola odorata", "Salvia officinalis", "Iris sibirica"),
    "city_of_delivery": one_of("Victoria", "Florence", "Charlotte", "Santiago", "Lourdes", "Sydney", "Adelaide"),
    "team": one_of("Georgia Bulldogs", "Jordan Tigers", "Virginia Wolves", "Carolina Panthers", "Dakota Bears"),
    "brand": one_of("Jack Daniels", "Ford", "Martin Guitars", "Levi", "Harley Davidson", "Wilson", "Mercedes"),
    "room": lambda c: f"{c.choice(['Turing', 'Curie', 'Newton', 'Darwin'])} {c.randrange(1, 9)}",
    "sentence": lambda c: f"The {c.choice(['pump', 'valve', 'street', 'court'])} was opened at {c.randrange(1, 24)} h.",
    "hex_color": lambda c: f"#{c.randrange(2**24):06x}",
    "score": lambda c: round(c.uniform(-90, 90), 6),
    "station_code": lambda c: f"{digits(c, 5)}",
    "email_status": one_of("sent", "bounced", "opened"),
    "card_kind": one_of("debit", "credit", "prepaid"),
    "address_count": lambda c: c.randrange(9),
    "url": lambda c: f"https://shop.example/{letters(c, 6)}?id={digits(c, 7)}",
    "file": lambda c: f"report_{digits(c, 8)}@2x.png",
}


def columns_of_people(countries: Collection[str], seed: int) -> Iterator[Labelled]:
    """Ten of each country: under its own name for what they hold, and under one that says nothing."""
    chance = Chance(seed)
    for country in countries:
        locale = LOCALES[country]
        for name, (label, maker) in zip(locale.columns, of_people(locale).items(), strict=True):
            for column in (name, chance.choice(UNTOLD)):
                yield Labelled(column, label, [maker(chance) for _ in range(ROWS)])


def columns_of_other_types(seed: int) -> Iterator[Labelled]:
    chance = Chance(seed)
    for label, (maker, name) in OTHERS.items():
        yield Labelled(name, label, [maker(chance) for _ in range(ROWS)])


def harmless_columns(seed: int) -> Iterator[Labelled]:
    """Each under the name that such columns have, and under one that says nothing."""
    chance = Chance(seed)
    for name, maker in NEGATIVES.items():
        for column in (name, chance.choice(UNTOLD)):
            yield Labelled(column, None, [maker(chance) for _ in range(ROWS)])
