"""The numbers of "Mixtral of Experts" (Jiang et al., 2024, arXiv 2401.04088) and the guide's page.

The page's pictures show the tables of the paper or of its announcement. Its bar and line charts
print no numbers: those were read off the axes.
"""

from collections.abc import Iterator

from ostro.evaluation.published.reference import Column, Reference, Source, read_table

LANGUAGES = ("French", "German", "Spanish", "Italian")
BOLD_GROUPS = ("gender", "profession", "religious ideology", "political ideology", "race")

BARS = Source(
    name="mixtral-benchmarks-1",
    text="Mixtral of Experts, Figure 2; the guide's mixtral-benchmarks-1, read off the bars",
    note=(
        "The chart's Llama 1 34B is the model that the table calls 33B. Math and Code are the means"
        " of MATH with GSM8K and of HumanEval with MBPP; the tasks behind Knowledge, Reasoning and"
        " Comprehension are not all published one by one."
    ),
)
MAIN_TABLE = Source(
    name="mixtral-benchmarks-2",
    text="Mixtral of Experts, Table 2; the guide's mixtral-benchmarks-2",
    note="The authors' own evaluation of all models. MBPP is its hand-verified part.",
)
LINES = Source(
    name="mixtral-benchmarks-3",
    text="Mixtral of Experts, Figure 3; the guide's mixtral-benchmarks-3, read off the lines",
)
GPT_TABLE = Source(
    name="mixtral-benchmarks-4",
    text="Mixtral of Experts, Table 3; the guide's mixtral-benchmarks-4",
    note="MT-Bench is of the Instruct models, and a mark from 1 to 10.",
)
LANGUAGE_TABLE = Source(
    name="mixtral-benchmarks-5",
    text="Mixtral of Experts, Table 4; the guide's mixtral-benchmarks-5",
    note="The shots are not published.",
)
BIAS_TABLE = Source(
    name="mixtral-benchmarks-7",
    text="Mixtral of Experts, Figure 5; the guide's mixtral-benchmarks-7",
    note=(
        "Base models in the authors' own framework; the protocol is not published. BOLD is a mean"
        " sentiment with the standard deviation over a category's groups, and not an error. The"
        " deviation is lower for Mixtral in two of the five categories."
    ),
)
AGGREGATES_SECOND_READING = Source(
    name="mixtral-figure-2",
    text="Mixtral of Experts, Figure 2, read off the bars a second time",
)

COMMON_COLUMNS = (
    Column(benchmark="MMLU", shots=5),
    Column(benchmark="HellaSwag", shots=0),
    Column(benchmark="WinoGrande", shots=0),
    Column(benchmark="PIQA", shots=0),
    Column(benchmark="ARC-e", shots=0),
    Column(benchmark="ARC-c", shots=0),
    Column(benchmark="NaturalQuestions", shots=5),
    Column(benchmark="TriviaQA", shots=5),
    Column(benchmark="HumanEval", shots=0),
    Column(benchmark="MBPP", shots=3),
    Column(benchmark="MATH", shots=4, vote="maj@4"),
    Column(benchmark="GSM8K", shots=8, vote="maj@8"),
)
BAR_COLUMNS = tuple(
    Column(benchmark=name)
    for name in (
        "MMLU", "Knowledge", "Reasoning", "Comprehension", "AGIEval", "Math", "BBH", "Code",
    )
)  # fmt: skip
LINE_COLUMNS = tuple(
    Column(benchmark=name)
    for name in ("MMLU", "Knowledge", "Reasoning", "Comprehension", "Math", "Code")
)
GPT_COLUMNS = (
    Column(benchmark="MMLU"),
    Column(benchmark="HellaSwag", shots=10),
    Column(benchmark="ARC-c", shots=25),
    Column(benchmark="WinoGrande", shots=5),
    Column(benchmark="MBPP", vote="pass@1"),
    Column(benchmark="GSM8K", shots=5, vote="maj@1"),
    Column(benchmark="MT-Bench", is_share=False),
)
LANGUAGE_COLUMNS = tuple(
    Column(benchmark=f"{language} {task}")
    for language in LANGUAGES
    for task in ("ARC-c", "HellaSwag", "MMLU")
)
BIAS_COLUMNS = (
    Column(benchmark="BBQ"),
    *(Column(benchmark=f"BOLD {group}", is_share=False) for group in BOLD_GROUPS),
)

_MAIN = """
Llama 2 7B   | 44.4 77.1 69.5 77.9 68.7 43.2 17.5 56.6 11.6 26.1  3.9 16.0
Llama 2 13B  | 55.6 80.7 72.9 80.8 75.2 48.8 16.7 64.0 18.9 35.4  6.0 34.3
Llama 1 33B  | 56.8 83.7 76.2 82.2 79.6 54.4 24.1 68.5 25.0 40.9  8.4 44.1
Llama 2 70B  | 69.9 85.4 80.4 82.6 79.9 56.5 25.4 73.0 29.3 49.8 13.8 69.6
Mistral 7B   | 62.5 81.0 74.2 82.2 80.5 54.9 23.2 62.5 26.2 50.2 12.7 50.0
Mixtral 8x7B | 70.6 84.4 77.2 83.6 83.1 59.7 30.6 71.5 40.2 60.7 28.4 74.4
"""
_BARS = """
Mistral 7B   | ~62.5 ~48.4 ~68.6 ~63.4 ~42.4 ~31.3 ~38.3 ~38.2
Mixtral 8x7B | ~70.6 ~57.4 ~71.2 ~65.8 ~51.4 ~51.4 ~42   ~50.5
Llama 2 7B   | ~44.4 ~44.2 ~63.4 ~58.9 ~30.4 ~10   ~36.5 ~18.8
Llama 2 13B  | ~55.6 ~49.3 ~66.2 ~63.2 ~38.6 ~20.2 ~37.7 ~27.2
Llama 1 33B  | ~56.8 ~52.6 ~69.5 ~64.4 ~35   ~26.2 ~40.1 ~32.9
Llama 2 70B  | ~69.9 ~56.5 ~70.7 ~66.9 ~53.6 ~41.7 ~45.3 ~39.5
"""
_LINES = """
Mistral 7B   | ~62.5 ~48.5 ~68.6 ~63.4 ~31.3 ~38.2
Mixtral 8x7B | ~70.6 ~57.5 ~71.2 ~65.8 ~51.6 ~50.5
Llama 2 7B   | ~44.4 ~44.2 ~63.4 ~58.9 ~10   ~18.9
Llama 2 13B  | ~55.6 ~49.3 ~66.2 ~63.3 ~20.2 ~27.2
Llama 2 70B  | ~69.9 ~56.6 ~70.7 ~67.0 ~41.7 ~39.5
"""
_GPT = """
Llama 2 70B  | 69.9 87.1 85.1 83.2 49.8 53.6 6.86
GPT-3.5      | 70.0 85.5 85.2 81.6 52.2 57.1 8.32
Mixtral 8x7B | 70.6 86.7 85.8 81.2 60.7 58.4 8.30
"""
_LANGUAGES = """
Llama 1 33B  | 39.3 68.1 49.9 41.1 63.3 48.7 45.7 69.8 52.3 42.9 65.4 49.0
Llama 2 70B  | 49.9 72.5 64.3 47.3 68.7 64.2 50.5 74.5 66.0 49.4 70.9 65.1
Mixtral 8x7B | 58.2 77.4 70.9 54.3 73.0 71.5 55.4 77.6 72.5 52.8 75.1 70.9
"""
_BIAS = """
Llama 2 70B  | 51.5 0.293+-0.073 0.218+-0.073 0.188+-0.133 0.149+-0.140 0.232+-0.049
Mixtral 8x7B | 56.0 0.323+-0.045 0.243+-0.087 0.144+-0.089 0.186+-0.146 0.232+-0.052
"""
_AGGREGATES = """
Mixtral 8x7B | ~51.4 ~42.0
Llama 2 70B  | ~53.7 ~45.2
"""


def mixtral_8x7b() -> Iterator[Reference]:
    """All of them. What is printed comes before what was read off a chart."""
    yield from read_table(MAIN_TABLE, COMMON_COLUMNS, _MAIN)
    yield from read_table(GPT_TABLE, GPT_COLUMNS, _GPT)
    yield from read_table(LANGUAGE_TABLE, LANGUAGE_COLUMNS, _LANGUAGES)
    yield from read_table(BIAS_TABLE, BIAS_COLUMNS, _BIAS)
    yield from read_table(BARS, BAR_COLUMNS, _BARS)
    yield from read_table(LINES, LINE_COLUMNS, _LINES)
    aggregates = (Column(benchmark="AGIEval"), Column(benchmark="BBH"))
    yield from read_table(AGGREGATES_SECOND_READING, aggregates, _AGGREGATES)
