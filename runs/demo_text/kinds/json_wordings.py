"""Wordings of tasks that ask for JSON."""

ROLES = (
    "You are a helpful assistant for structured data.",
    "You are a code assistant.",
    "You convert text to JSON.",
    "You are a data entry clerk.",
    "Act as a JSON converter.",
    "You are a careful programmer's assistant.",
    "You work as a parser.",
)
TASKS = (
    "Generate a JSON object from this information: {info}",
    "Turn the following details into a JSON object: {info}",
    "Make a valid JSON object out of these fields: {info}",
    "Convert to JSON: {info}",
    "Please convert this information to JSON.\n\n{info}",
    "Write the data below as a JSON object.\n{info}",
    "Here is some information:\n{info}\nRepresent it as JSON.",
    "Create valid JSON with these keys and values: {info}",
    "I need this as JSON: {info}",
    "Given the information\n{info}\nproduce a JSON object.",
    "{info}\n\nWrite this as a JSON object.",
    "Information: {info}\nTask: give the JSON object for it.",
    "Your job is to write valid JSON for the information that follows. {info}",
    "Put this into a JSON object, please: {info}",
    "Format the following record as JSON:\n\n{info}",
    "Transform the text into a JSON object.\nText: {info}",
    "What would this look like as JSON? {info}",
    "Extract the fields into JSON: {info}",
    "Based on the details below, build a valid JSON object.\n\n{info}",
    "Your task is to create a JSON object from the given details: {info}",
)
ONLY = (
    "Just give the JSON object, no explanations.",
    "Only output the JSON object.",
    "Do not explain anything.",
    "No explanations, please.",
    "Return nothing but the JSON.",
    "Answer with the JSON object alone:",
    "Just the JSON, without any comment:",
    "Without explanations.",
    "JSON only:",
    "Don't add any other text.",
    "Produce just the object and no explanation:",
    "Please leave out explanations and notes.",
    "Output the object without explanations:",
    "Give me only valid JSON.",
)
ONE_LINE = ("Write it on one line.", "Use a single line.", "Compact, on one line.")
INDENTED = ("Indent it by two spaces.", "Use an indentation of two spaces.", "Two-space indent.")

SYSTEMS = (
    "You are a helpful assistant. Convert what the user gives you to JSON.",
    "Convert each message to a JSON object, in the same way as in the example.",
    "You turn records into valid JSON objects. Only output JSON.",
    "You are a code assistant. Write a valid JSON object for the information you are given.",
    "Your task is to generate JSON objects from information. Follow the examples.",
    "You produce JSON and nothing else.",
    "Return every record as JSON. Keep the format of earlier answers.",
    "You are a data converter: text goes in, a valid JSON object comes out.",
    "You help with data formats. Reply only with valid JSON.",
    "Answer with a JSON object that holds the given information.",
)
"""Of few-shot conversations."""

SUFFIXES = (
    "",
    "",
    "\nwould become:",
    "\nis converted to:",
    "\nJSON:",
    " ->",
    "\nas JSON:",
    "\nshould be turned into:",
    "\nResult:",
    "\n=>",
)
PREFIXES = ("", "", "", "", "Input: ", "Record: ", "Information:\n", "Convert: ", "Next: ")
