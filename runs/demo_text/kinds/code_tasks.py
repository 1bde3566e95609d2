"""Requests for a small Python function, answered by the function alone."""

import random
from typing import Any

from demo_text.kinds.function_entry import Function
from demo_text.kinds.functions_lists import LISTS
from demo_text.kinds.functions_math import MATH
from demo_text.kinds.functions_text import TEXT
from demo_text.kinds.functions_units import UNITS
from demo_text.kinds.json_tasks import maybe_safe
from demo_text.writing import conversation

SOURCE = "kinds: a Python function"
FUNCTIONS: tuple[Function, ...] = (*UNITS, *TEXT, *LISTS, *MATH)

SYSTEMS = (
    "You write Python functions. Output only the function, no explanation.",
    "You are a coding assistant. Reply with the function alone.",
    "You help people with Python. Only the code, please, and nothing else.",
    "Write the function that the user asks for and do not explain it.",
    "You are an expert Python programmer who answers with code only.",
    "You are a helpful assistant for Python code. Don't add explanations.",
    "Give only the function. No comments, no examples, no text.",
    "Act as a Python code generator. Return just the function.",
    "You are a programmer of few words: you answer with a function and nothing more.",
    "Your answers are Python code without any explanation.",
    "Please produce only the requested function.",
    "You are a programming assistant; avoid explaining the code.",
)
REQUESTS = (
    "Write a Python function to {task}.",
    "Write a function in Python to {task}.",
    "I need a Python function to {task}.",
    "Please write a function to {task}.",
    "How would a Python function to {task} look?",
    "Can you code a function to {task}?",
    "Make a Python function to {task}.",
    "Give me a Python function to {task}.",
    "Implement a function to {task}.",
    "Define a function to {task}, in Python.",
    "Python: a function to {task}.",
    "Could you write me a little Python function to {task}?",
    "Create a function to {task}.",
    "I'd like to {task} in Python. Write the function.",
    "Show me a Python function to {task}.",
    "Write Python code to {task}.",
)
NAMED = (
    "Write a Python function {name} to {task}.",
    "Define {name} in Python, a function to {task}.",
    "Create a function called {name} to {task}.",
)
ONLY = (
    "Only the function.",
    "No explanation, please.",
    "Just the code.",
    "Don't explain it.",
    "Give only the function and no explanation.",
    "Code only.",
)
_FENCED_SHARE = 0.85


def code_task(draw: random.Random) -> dict[str, Any]:
    """A request, mostly with a system prompt that wants the function alone.

    ``task`` in the record names what is asked for, so that the same can be held out in all words.
    """
    one = draw.choice(FUNCTIONS)
    form = draw.choice(NAMED if draw.random() < 0.12 else REQUESTS)
    question = form.format(task=draw.choice(one.tasks), name=one.name)
    system = draw.choice(SYSTEMS) if draw.random() < 0.75 else None
    if system is None:
        question = f"{question} {draw.choice(ONLY)}"
    answer = f"```python\n{one.code}\n```" if draw.random() < _FENCED_SHARE else one.code
    return conversation(
        SOURCE, question, answer, system=maybe_safe(system, draw), task="|".join(one.tasks)
    )
