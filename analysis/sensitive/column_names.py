"""What the name of a column says: words, not letters, so that `public` holds no `lic` and `acid` no `cid`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from analysis.sensitive.findings import NameEvidence
from analysis.sensitive.word_lists import words

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")

# A column named with one of these is about the thing, and does not hold it: email_verified, phone_count, name_type.
_AGAINST = words("not_the_thing")
# Among names of these, where something is is no matter of a person: iata, elevation. Of those it is: customer, birth.
_OF_PLACES = words("of_places")
_OF_PEOPLE = words("of_people")

# Words written as one that people also write apart; read apart they match the phrases of the types.
_JOINED = {
    "firstname": ("first", "name"),
    "lastname": ("last", "name"),
    "surname": ("last", "name"),
    "fname": ("first", "name"),
    "lname": ("last", "name"),
    "fullname": ("full", "name"),
    "forename": ("first", "name"),
    "givenname": ("given", "name"),
    "familyname": ("family", "name"),
    "middlename": ("middle", "name"),
    "emailaddress": ("email", "address"),
    "mail": ("email",),
    "phonenumber": ("phone", "number"),
    "telephone": ("phone",),
    "telefon": ("phone",),
    "telefoon": ("phone",),
    "telefono": ("phone",),
    "telefone": ("phone",),
    "tel": ("phone",),
    "mobilephone": ("mobile", "phone"),
    "cellphone": ("cell", "phone"),
    "cardnumber": ("card", "number"),
    "ccnumber": ("cc", "number"),
    "ccnum": ("cc", "number"),
    "creditcard": ("credit", "card"),
    "cardno": ("card", "number"),
    "birthdate": ("birth", "date"),
    "birthday": ("birth", "date"),
    "dateofbirth": ("birth", "date"),
    "zipcode": ("zip", "code"),
    "postcode": ("postal", "code"),
    "postalcode": ("postal", "code"),
    "ipaddress": ("ip", "address"),
    "ipaddr": ("ip", "address"),
    "macaddress": ("mac", "address"),
    "streetaddress": ("street", "address"),
    "addr": ("address",),
    "apikey": ("api", "key"),
    "accesskey": ("access", "key"),
    "privatekey": ("private", "key"),
    "socialsecurity": ("social", "security"),
    "nationalid": ("national", "id"),
    "taxid": ("tax", "id"),
    "passwd": ("password",),
    "pwd": ("password",),
    "passphrase": ("password",),
    "accountnumber": ("account", "number"),
    "acctno": ("account", "number"),
    "acct": ("account",),
    "no": ("number",),
    "nr": ("number",),
    "num": ("number",),
    "identifier": ("id",),
    "lat": ("latitude",),
    "lng": ("longitude",),
    "lon": ("longitude",),
    "long": ("longitude",),
}


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """`customerEMail_address2` gives customer, email, address, 2."""
    name = (
        name.replace("e-mail", "email").replace("E-Mail", "Email").replace("EMail", "Email").replace("e_mail", "email")
    )
    found: list[str] = []
    for word in _WORD.findall(name):
        found += _JOINED.get(word.lower(), (word.lower(),))
    return tuple(found)


def evidence_of(name: str, strong: tuple[str, ...], weak: tuple[str, ...]) -> NameEvidence:
    """What a column's name says of a type with these phrases."""
    own = words_of(name)
    for phrases, says in ((strong, "strong"), (weak, "weak")):
        for phrase in phrases:
            place = _place_of(tuple(phrase.split()), own)
            if place is not None:
                matched = own[place : place + len(phrase.split())]
                against = [word for word in own if word in _AGAINST and word not in matched]
                found = "against" if against else says
                return NameEvidence(says=found, words=list(matched), against=against)  # type: ignore[arg-type]
    return NameEvidence(says="nothing", words=[], against=[])


def places_among(names: Iterable[str]) -> tuple[str, ...]:
    """The words that say that a table's rows are places, out of the names of its columns and its own.

    None where a word says that they are of people: where a customer's station is tells of the customer.
    """
    own = {word for name in names for word in words_of(name)}
    return () if own & _OF_PEOPLE else tuple(sorted(own & _OF_PLACES))


def _place_of(phrase: tuple[str, ...], own: tuple[str, ...]) -> int | None:
    size = len(phrase)
    return next((start for start in range(len(own) - size + 1) if own[start : start + size] == phrase), None)
