"""What is said around the texts of some files."""

PASSES = (
    "{task}\nYour code should pass this test: {test}",
    "{task}\n\nExample: {test}",
    "{task} It must satisfy:\n{test}",
)
COMPLETE = (
    "Complete this function:\n\n{code}",
    "Please finish the following function.\n{code}",
    "{code}\n\nWrite the whole function.",
)
TO_SPANISH = (
    "Translate into Spanish:\n\n{text}",
    "How would you say this in Spanish?\n{text}",
    "Spanish translation of the following text, please: {text}",
    "Traduce al español: {text}",
)
TO_ENGLISH = (
    "Translate into English:\n\n{text}",
    "What does this mean in English?\n{text}",
    "English translation of the following text, please: {text}",
    "Traduce al inglés: {text}",
)
