"""The numbers of Mixtral 8x22B's announcement (Mistral AI, April 2024), as the guide shows it."""

from collections.abc import Iterator

from ostro.evaluation.published.reference import Column, Reference, Source, read_table

COST = Source(
    name="mixtral-8-cost",
    text="Mixtral 8x22B's announcement; the guide's mixtral-8-cost, read off the points",
    note="The chart draws Llama 1 33B at about 32 thousand million parameters.",
)
REASONING = Source(
    name="mixtral-8-reasoning",
    text="Mixtral 8x22B's announcement; the guide's mixtral-8-reasoning",
    note="For HellaSwag and WinoGrande the shots are those of the same numbers in Mixtral's paper.",
)
MATHS = Source(
    name="mixtral-8-maths", text="Mixtral 8x22B's announcement; the guide's mixtral-8-maths"
)

COST_COLUMNS = (Column(benchmark="MMLU"),)
REASONING_COLUMNS = (
    Column(benchmark="MMLU"),
    Column(benchmark="HellaSwag", shots=10),
    Column(benchmark="WinoGrande", shots=5),
    Column(benchmark="ARC-c", shots=5),
    Column(benchmark="ARC-c", shots=25),
    Column(benchmark="TriviaQA"),
    Column(benchmark="NaturalQuestions"),
)
MATHS_COLUMNS = (
    Column(benchmark="HumanEval"),
    Column(benchmark="MBPP"),
    Column(benchmark="GSM8K", shots=5, vote="maj@1"),
    Column(benchmark="GSM8K", shots=8, vote="maj@8"),
    Column(benchmark="MATH", vote="maj@4"),
)

_REASONING = """
Llama 2 70B   | 69.9  87.1 83.2 86.0 85.1 77.57 35.5
Command R     | 68.2  87.0 81.5 -    66.5 -     -
Command R+    | 75.7  88.6 85.4 -    71.0 -     -
Mistral 7B    | 62.47 83.1 78.0 77.2 78.1 68.8  28.1
Mixtral 8x7B  | 70.63 86.6 81.2 85.8 85.9 78.4  36.5
Mixtral 8x22B | 77.75 88.5 84.7 91.3 91.3 82.2  40.1
"""
_MATHS = """
Llama 2 70B   | 29.3  49.8 53.6 69.6 13.8
Command R     | -     -    56.6 -    -
Command R+    | -     -    70.7 -    -
Mistral 7B    | 26.22 50.2 36.5 50.0 12.7
Mixtral 8x7B  | 40.2  60.7 58.4 74.4 28.4
Mixtral 8x22B | 45.1  71.2 78.6 88.4 41.8
"""
_COST = """
Mistral 7B    | ~62.5
Mixtral 8x7B  | ~70.6
Mixtral 8x22B | ~77.8
Llama 2 7B    | ~44.4
Llama 2 13B   | ~55.6
Llama 1 33B   | ~56.8
Llama 2 70B   | ~69.9
Command R     | ~68.2
Command R+    | ~75.7
"""


def mixtral_8x22b() -> Iterator[Reference]:
    """All of them. What is printed comes before what was read off a chart."""
    yield from read_table(REASONING, REASONING_COLUMNS, _REASONING)
    yield from read_table(MATHS, MATHS_COLUMNS, _MATHS)
    yield from read_table(COST, COST_COLUMNS, _COST)
