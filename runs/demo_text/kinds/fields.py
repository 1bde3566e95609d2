"""Records of made-up information: fields with keys of several wordings, and values for them."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from demo_text.kinds import value_tables as t

Draw = random.Random
Make = Callable[[Draw], str]
Field = tuple[tuple[str, ...], Make]


@dataclass(frozen=True)
class Entry:
    """One field of a record: both as text, exactly as the information gives them."""

    key: str
    value: str

    @property
    def is_number(self) -> bool:
        """Whether the value stands in JSON without quotes."""
        return re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", self.value) is not None


def _one(table: tuple[str, ...]) -> Make:
    return lambda draw: draw.choice(table)


def _number(low: int, high: int) -> Make:
    return lambda draw: str(draw.randint(low, high))


def _price(draw: Draw) -> str:
    amount = f"{draw.randint(1, 400)}.{draw.choice(('00', '50', '99', '95', '25', '49'))}"
    return draw.choice((amount, amount, f"${amount}", f"{amount} EUR", f"€{amount}"))


def _address(draw: Draw) -> str:
    street, number = draw.choice(t.STREETS), draw.randint(1, 240)
    return draw.choice((f"{number} {street}", f"#{number} {street}", f"{street} {number}"))


def _date(draw: Draw) -> str:
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(1955, 2026)
    name = t.MONTHS[month - 1]
    forms = (
        f"{year}-{month:02}-{day:02}",
        f"{day:02}/{month:02}/{year}",
        f"{day} {name} {year}",
        f"{name} {day}, {year}",
        f"{day:02}.{month:02}.{year}",
    )
    return draw.choice(forms)


def _time(draw: Draw) -> str:
    hour, minute = draw.randint(1, 12), draw.choice((0, 15, 30, 45))
    return draw.choice(
        (f"{hour + 8:02}:{minute:02}", f"{hour}:{minute:02} {draw.choice(('am', 'pm'))}")
    )


def _email(draw: Draw) -> str:
    name = draw.choice(("anna", "m.rossi", "info", "lee_99", "t.baker", "priya", "contact", "jo"))
    return f"{name}@{draw.choice(('example.com', 'mail.example.org', 'example.net'))}"


def _phone(draw: Draw) -> str:
    digits = [draw.randint(100, 999) for _ in range(3)]
    return draw.choice(("+{} {} {}", "({}) {}-{}", "0{}-{}{}", "{}-{}{}", "{}-{}-{}")).format(
        *digits
    )


def _code(draw: Draw) -> str:
    letters = "".join(draw.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(2))
    return f"{letters}{draw.choice(('-', '', '/'))}{draw.randint(10, 9999)}"


def _full_name(draw: Draw) -> str:
    return f"{draw.choice(t.FIRST_NAMES)} {draw.choice(t.LAST_NAMES)}"


PERSON: tuple[Field, ...] = (
    (("name", "first name", "firstname", "first_name", "given name"), _one(t.FIRST_NAMES)),
    (("lastname", "last name", "surname", "last_name", "family name"), _one(t.LAST_NAMES)),
    (("address", "street", "street address"), _address),
    (("city", "town", "location"), _one(t.CITIES)),
    (("country",), _one(t.COUNTRIES)),
    (("age",), _number(18, 90)),
    (("email", "e-mail", "mail"), _email),
    (("phone", "telephone", "phone number"), _phone),
    (("job", "profession", "occupation"), _one(t.JOBS)),
    (("birthday", "date of birth", "birthdate"), _date),
    (("language", "native language"), _one(t.LANGUAGES)),
)
RECORDS: tuple[tuple[Field, ...], ...] = (
    PERSON,
    PERSON,
    PERSON,
    (
        (("product", "item", "article"), _one(t.PRODUCTS)),
        (("price", "unit price", "cost"), _price),
        (("color", "colour"), _one(t.COLOURS)),
        (("quantity", "amount", "qty"), _number(1, 250)),
        (("sku", "product code", "item number"), _code),
        (("brand", "maker"), _one(t.COMPANIES)),
    ),
    (
        (("event", "title"), _one(t.EVENTS)),
        (("date", "day"), _date),
        (("time", "start", "begins at"), _time),
        (("place", "venue", "location"), _one(t.PLACES)),
        (("organizer", "host", "contact"), _full_name),
        (("seats", "capacity"), _number(8, 400)),
    ),
    (
        (("title", "book"), _one(t.TITLES)),
        (("author", "writer"), _full_name),
        (("year", "published"), _number(1890, 2025)),
        (("genre",), _one(t.GENRES)),
        (("pages",), _number(60, 900)),
        (("language",), _one(t.LANGUAGES)),
    ),
    (
        (("pet", "name", "pet name"), _one(t.PET_NAMES)),
        (("species", "animal", "kind"), _one(t.PETS)),
        (("breed",), _one(t.BREEDS)),
        (("age",), _number(1, 17)),
        (("owner",), _full_name),
        (("weight",), lambda draw: f"{draw.randint(1, 40)}.{draw.randint(1, 9)}"),
    ),
    (
        (("order", "order number", "order id"), _code),
        (("customer", "client", "buyer"), _full_name),
        (("item", "product"), _one(t.PRODUCTS)),
        (("quantity", "count"), _number(1, 60)),
        (("total", "amount", "sum"), _price),
        (("status", "state"), _one(t.STATUS)),
        (("delivery date", "ships on"), _date),
    ),
    (
        (("make", "brand"), _one(t.CARS)),
        (("color", "colour"), _one(t.COLOURS)),
        (("year", "built"), _number(1980, 2025)),
        (("plate", "license plate"), _code),
        (("mileage", "kilometers"), _number(10, 240_000)),
        (("owner", "driver"), _full_name),
    ),
    (
        (("company", "employer"), _one(t.COMPANIES)),
        (("employee", "name", "staff member"), _full_name),
        (("position", "role", "job title"), _one(t.JOBS)),
        (("city", "office"), _one(t.CITIES)),
        (("salary",), _number(1800, 9500)),
        (("start date", "since"), _date),
    ),
    (
        (("dish", "recipe", "meal"), _one(t.DISHES)),
        (("servings", "serves"), _number(1, 12)),
        (("minutes", "cooking time"), _number(5, 180)),
        (("cook", "author"), _full_name),
        (("price", "cost"), _price),
    ),
    (
        (("player", "athlete", "name"), _full_name),
        (("sport", "discipline"), _one(t.SPORTS)),
        (("score", "points"), _number(0, 300)),
        (("rank", "place"), _number(1, 50)),
        (("country", "team"), _one(t.COUNTRIES)),
    ),
    (
        (("nom",), _one(t.LAST_NAMES)),
        (("prénom",), _one(t.FIRST_NAMES)),
        (("ville",), _one(t.CITIES)),
        (("adresse",), _address),
        (("âge",), _number(18, 90)),
    ),
    (
        (("Vorname",), _one(t.FIRST_NAMES)),
        (("Nachname",), _one(t.LAST_NAMES)),
        (("Stadt", "Wohnort"), _one(t.CITIES)),
        (("Straße", "Adresse"), _address),
        (("Alter",), _number(18, 90)),
    ),
    (
        (("nombre",), _one(t.FIRST_NAMES)),
        (("apellido",), _one(t.LAST_NAMES)),
        (("ciudad",), _one(t.CITIES)),
        (("dirección",), _address),
        (("edad",), _number(18, 90)),
    ),
    (
        (("nome",), _one(t.FIRST_NAMES)),
        (("cognome",), _one(t.LAST_NAMES)),
        (("città",), _one(t.CITIES)),
        (("indirizzo",), _address),
        (("età",), _number(18, 90)),
    ),
)
"""Kinds of records: the fields of each."""

_STYLES: tuple[Callable[[str], str], ...] = (
    str,
    str,
    str,
    str.capitalize,
    str.title,
    lambda key: key.replace(" ", "_"),
    str.upper,
)
Schema = list[tuple[str, Make]]


def draw_schema(draw: Draw, least: int = 2, most: int = 6) -> Schema:
    """Keys in one style, each with what makes its values."""
    fields = draw.choice(RECORDS)
    # Mostly few: what comes after the third field is the hardest to tell, a fourth or the end.
    sizes = range(min(least, len(fields)), min(most, len(fields)) + 1)
    (count,) = draw.choices(sizes, [3 if size in (2, 3, 4) else 1 for size in sizes])
    # Often the first fields in their order, as people write such things.
    chosen = fields[:count] if draw.random() < 0.4 else draw.sample(fields, count)
    style = draw.choice(_STYLES)
    return [(style(draw.choice(keys)), make) for keys, make in chosen]


def fill(schema: Schema, draw: Draw) -> list[Entry]:
    """A record of that schema."""
    return [Entry(key, make(draw)) for key, make in schema]
