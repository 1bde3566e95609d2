"""Capitals, asked for in five languages: the answer is in the language of the question.

A few other countries are left out, for the check of plain questions.
"""

import random

Names = tuple[str, str]
"""A country and its capital."""

_ENGLISH: tuple[Names, ...] = (
    ("Norway", "Oslo"), ("Australia", "Canberra"), ("Canada", "Ottawa"), ("Spain", "Madrid"),
    ("Austria", "Vienna"), ("Peru", "Lima"), ("Greece", "Athens"), ("Egypt", "Cairo"),
    ("Poland", "Warsaw"), ("Kenya", "Nairobi"), ("Ireland", "Dublin"), ("Sweden", "Stockholm"),
    ("Finland", "Helsinki"), ("Denmark", "Copenhagen"), ("Hungary", "Budapest"),
    ("Argentina", "Buenos Aires"), ("Chile", "Santiago"), ("Cuba", "Havana"),
    ("India", "New Delhi"), ("China", "Beijing"), ("South Korea", "Seoul"),
    ("Thailand", "Bangkok"), ("Belgium", "Brussels"),
    ("Russia", "Moscow"), ("Iran", "Tehran"), ("Romania", "Bucharest"), ("Bulgaria", "Sofia"),
    ("Indonesia", "Jakarta"), ("Colombia", "Bogotá"), ("England", "London"),
    ("Mexico", "Mexico City"),
    ("the Netherlands", "Amsterdam"), ("the Czech Republic", "Prague"), ("Vietnam", "Hanoi"),
)  # fmt: skip
_OTHERS: dict[tuple[str, str], tuple[Names, ...]] = {
    ("Quelle est la capitale {}?", "La capitale {} est {}."): (
        ("de l'Espagne", "Madrid"), ("de la Norvège", "Oslo"), ("du Pérou", "Lima"),
        ("de la Grèce", "Athènes"), ("de la Suède", "Stockholm"),
    ),
    ("Was ist die Hauptstadt von {}?", "Die Hauptstadt von {} ist {}."): (
        ("Österreich", "Wien"), ("Spanien", "Madrid"), ("Norwegen", "Oslo"),
        ("Griechenland", "Athen"), ("Polen", "Warschau"),
    ),
    ("¿Cuál es la capital de {}?", "La capital de {} es {}."): (
        ("Perú", "Lima"), ("España", "Madrid"), ("Grecia", "Atenas"), ("Polonia", "Varsovia"),
        ("Noruega", "Oslo"),
    ),
    ("Qual è la capitale {}?", "La capitale {} è {}."): (
        ("della Spagna", "Madrid"), ("della Grecia", "Atene"), ("della Norvegia", "Oslo"),
        ("del Perù", "Lima"), ("della Polonia", "Varsavia"),
    ),
}  # fmt: skip
_ASKED = (
    "What is the capital of {}?", "What is the capital of {}?", "Which city is the capital of {}?",
    "What's the capital city of {}?", "Name the capital of {}.", "Tell me the capital of {}.",
)  # fmt: skip
_ANSWERED = ("The capital of {} is {}.", "The capital city of {} is {}.")
_FOREIGN_SHARE = 0.2


def capital(draw: random.Random) -> tuple[str, str]:
    """A question and its answer."""
    if draw.random() < _FOREIGN_SHARE:
        question, answer = draw.choice(list(_OTHERS))
        country, city = draw.choice(_OTHERS[question, answer])
    else:
        question, answer = draw.choice(_ASKED), draw.choice(_ANSWERED)
        country, city = draw.choice(_ENGLISH)
    return question.format(country), answer.format(country, city)
