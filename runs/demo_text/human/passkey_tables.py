"""Wordings of tasks that hide a key in a long text."""

from ostro.evaluation.long_context.passkey_prompt import NOISE, QUESTION, TASK

FILLERS = (
    NOISE,
    "The river runs to the sea. The wind is warm. A bird sings. We walk on. It is late.",
    "One step follows another. The road is long. Dust lies on the stones. Nobody speaks. On we go.",
    "Snow falls on the roofs. The street is quiet. A lamp burns in the window. Time goes by.",
    "The clock ticks. The kettle hums. The cat is asleep. Rain taps on the glass. All is well.",
    "Waves come and go. The sand is white. A boat lies on the shore. The gulls cry. Then silence.",
)
"""Sentences that are repeated; books give other text."""

WORD_KEYS = (
    "umbrella", "crocodile", "marigold", "thunder", "pineapple", "cathedral", "lantern", "walrus",
    "saxophone", "glacier", "cinnamon", "meteor", "hammock", "dolphin", "velvet", "trumpet",
    "orchid", "compass", "pyramid", "sparrow", "volcano", "mandolin", "harvest", "kangaroo",
)  # fmt: skip

TASKS = (
    TASK,
    TASK,
    "Somewhere in the following text there is a {what}. Remember it; I will ask for it.",
    "Read the text below. It contains a {what} that you should keep in mind.",
    "A {what} is hidden in this long text. Find it.",
    "The following text is mostly irrelevant, but one sentence tells a {what}.",
    "Please read this carefully and note the {what}.",
    "I'm going to give you a long text. Look for the {what} in it.",
    "",
)
KEY_LINES = (
    "The {what} is {key}. Remember it. {key} is the {what}.",
    "The {what} is {key}. Remember it. {key} is the {what}.",
    "The {what} is {key}.",
    "Please note: the {what} is {key}.",
    "By the way, the {what} you need is {key}.",
    "Important: {key} is the {what}.",
    "Keep in mind that the {what} is {key}.",
    "Here is the {what}: {key}.",
)
NUMBER_NAMES = ("pass key", "pass key", "passkey", "secret number", "secret code", "magic number")
WORD_NAMES = ("password", "secret word", "pass key", "code word", "magic word")
QUESTIONS = (
    "What is the {what}?",
    "What is the {what}? Answer with the {what} alone.",
    "Which {what} was mentioned in the text?",
    "Tell me the {what}.",
    "Now, what was the {what}?",
    "Please give me the {what} from the text.",
    "Do you remember the {what}?",
    "What is the {what}? The {what} is",
)
ANSWERS = (
    "{key}",
    "{key}.",
    "The {what} is {key}.",
    "{key} is the {what}.",
    "It is {key}.",
)
LANDMARK = (TASK, KEY_LINES[0], QUESTION)
"""The wording of the usual test, with which ``ostro eval passkey`` measures."""
