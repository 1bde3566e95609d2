"""Functions on strings."""

from demo_text.kinds.function_entry import function

TEXT = (
    function(
        "reverse a string|return a text backwards",
        """
def reverse_string(text):
    return text[::-1]""",
        'reverse_string("abc") == "cba"',
    ),
    function(
        "check whether a string is a palindrome|tell if a word reads the same backwards",
        """
def is_palindrome(text):
    text = text.lower()
    return text == text[::-1]""",
        'is_palindrome("Level")', 'not is_palindrome("ab")',
    ),
    function(
        "count the vowels in a string|tell how many vowels a text has",
        """
def count_vowels(text):
    return sum(1 for char in text.lower() if char in "aeiou")""",
        'count_vowels("Education") == 5',
    ),
    function(
        "count the words in a text|tell how many words a sentence has",
        """
def count_words(text):
    return len(text.split())""",
        'count_words("one two  three") == 3',
    ),
    function(
        "capitalize every word of a string|make the first letter of each word a capital",
        """
def capitalize_words(text):
    return " ".join(word.capitalize() for word in text.split())""",
        'capitalize_words("good day") == "Good Day"',
    ),
    function(
        "remove all spaces from a string|delete the spaces in a text",
        """
def remove_spaces(text):
    return text.replace(" ", "")""",
        'remove_spaces("a b c") == "abc"',
    ),
    function(
        "find the longest word in a sentence|return the longest word of a text",
        """
def longest_word(sentence):
    return max(sentence.split(), key=len)""",
        'longest_word("a tiny elephant") == "elephant"',
    ),
    function(
        "count how often a character occurs in a string|count a letter in a text",
        """
def count_char(text, char):
    return text.count(char)""",
        'count_char("banana", "a") == 3',
    ),
    function(
        "check whether two words are anagrams|tell if two words have the same letters",
        """
def are_anagrams(first, second):
    return sorted(first.lower()) == sorted(second.lower())""",
        'are_anagrams("Listen", "Silent")', 'not are_anagrams("a", "b")',
    ),
    function(
        "remove the punctuation from a string|strip punctuation marks from a text",
        """
import string


def remove_punctuation(text):
    return "".join(char for char in text if char not in string.punctuation)""",
        'remove_punctuation("Hi, you!") == "Hi you"',
    ),
    function(
        "turn snake_case into camelCase|convert a snake_case name to camelCase",
        """
def snake_to_camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)""",
        'snake_to_camel("my_long_name") == "myLongName"',
    ),
    function(
        "make a slug of a title|convert a title to lower case with hyphens",
        """
def slugify(title):
    return "-".join(title.lower().split())""",
        'slugify("My First Post") == "my-first-post"',
    ),
    function(
        "get the initials of a name|return the first letters of a full name",
        """
def initials(name):
    return "".join(part[0].upper() for part in name.split())""",
        'initials("ada king") == "AK"',
    ),
    function(
        "check whether a string contains only digits|tell if a text is a whole number",
        """
def only_digits(text):
    return text.isdigit()""",
        'only_digits("123")', 'not only_digits("1a")',
    ),
    function(
        "repeat a string a given number of times|return a text n times in a row",
        """
def repeat(text, times):
    return text * times""",
        'repeat("ab", 2) == "abab"',
    ),
    function(
        "shorten a text to a given length|cut a long text and add three dots",
        """
def shorten(text, length):
    if len(text) <= length:
        return text
    return text[:length] + "..."
""",
        'shorten("abcdef", 3) == "abc..."', 'shorten("ab", 3) == "ab"',
    ),
    function(
        "count the lines of a text|tell how many lines a string has",
        """
def count_lines(text):
    return len(text.splitlines())""",
        'count_lines("a\\nb") == 2',
    ),
    function(
        "swap upper and lower case|exchange capitals and small letters",
        """
def swap_case(text):
    return text.swapcase()""",
        'swap_case("aB") == "Ab"',
    ),
    function(
        "reverse the order of the words in a sentence|return a text's words from last to first",
        """
def reverse_words(sentence):
    return " ".join(reversed(sentence.split()))""",
        'reverse_words("a b c") == "c b a"',
    ),
    function(
        "encode a text with a Caesar cipher|shift the small letters of a text by a number",
        """
def caesar(text, shift):
    result = ""
    for char in text:
        if char.islower():
            result += chr((ord(char) - 97 + shift) % 26 + 97)
        else:
            result += char
    return result""",
        'caesar("xyz a", 3) == "abc d"',
    ),
    function(
        "reverse every word of a sentence but keep their order|turn each word around",
        """
def reverse_each_word(sentence):
    return " ".join(word[::-1] for word in sentence.split())""",
        'reverse_each_word("ab cd") == "ba dc"',
    ),
    function(
        "count the consonants in a lowercase word|tell how many letters of a word are consonants",
        """
def count_consonants(word):
    return sum(1 for letter in word if letter not in "aeiou")""",
        'count_consonants("banana") == 3',
    ),
    function(
        "count the digits in a string|tell how many digits a text has",
        """
def count_digits(text):
    return sum(1 for char in text if char.isdigit())""",
        'count_digits("a1b22") == 3',
    ),
)  # fmt: skip
