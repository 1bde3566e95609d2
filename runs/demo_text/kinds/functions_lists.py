"""Functions on lists and dictionaries."""

from demo_text.kinds.function_entry import function

LISTS = (
    function(
        "add up the numbers of a list|return the sum of a list",
        """
def sum_list(numbers):
    total = 0
    for number in numbers:
        total += number
    return total""",
        "sum_list([1, 2, 3]) == 6",
    ),
    function(
        "compute the average of a list of numbers|return the mean of some numbers",
        """
def average(numbers):
    return sum(numbers) / len(numbers)""",
        "average([1, 2, 3]) == 2",
    ),
    function(
        "find the median of a list|return the middle value of some numbers",
        """
def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2""",
        "median([3, 1, 2]) == 2", "median([1, 2, 3, 4]) == 2.5",
    ),
    function(
        "find the largest number in a list|return the maximum of a list without using max",
        """
def largest(numbers):
    best = numbers[0]
    for number in numbers:
        if number > best:
            best = number
    return best""",
        "largest([2, 9, 4]) == 9",
    ),
    function(
        "find the smallest number in a list|return the minimum of a list",
        """
def smallest(numbers):
    return min(numbers)""",
        "smallest([2, 9, 4]) == 2",
    ),
    function(
        "remove duplicates from a list and keep the order|return the different items of a list",
        """
def unique(items):
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen""",
        "unique([1, 2, 1, 3]) == [1, 2, 3]",
    ),
    function(
        "return the even numbers of a list|filter a list for even numbers",
        """
def even_numbers(numbers):
    return [number for number in numbers if number % 2 == 0]""",
        "even_numbers([1, 2, 4]) == [2, 4]",
    ),
    function(
        "return the odd numbers of a list|keep only the odd numbers",
        """
def odd_numbers(numbers):
    return [number for number in numbers if number % 2 == 1]""",
        "odd_numbers([1, 2, 3]) == [1, 3]",
    ),
    function(
        "flatten a list of lists|join several lists into one",
        """
def flatten(lists):
    return [item for one in lists for item in one]""",
        "flatten([[1], [2, 3]]) == [1, 2, 3]",
    ),
    function(
        "split a list into chunks of a given size|cut a list into pieces of n items",
        """
def chunks(items, size):
    return [items[i:i + size] for i in range(0, len(items), size)]""",
        "chunks([1, 2, 3], 2) == [[1, 2], [3]]",
    ),
    function(
        "count how often each item occurs in a list|return a dictionary with the counts of items",
        """
def count_items(items):
    counts = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts""",
        'count_items(["a", "b", "a"]) == {"a": 2, "b": 1}',
    ),
    function(
        "merge two dictionaries|combine two dictionaries into one",
        """
def merge(first, second):
    return {**first, **second}""",
        'merge({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}',
    ),
    function(
        "swap the keys and values of a dictionary|invert a dictionary",
        """
def invert(mapping):
    return {value: key for key, value in mapping.items()}""",
        'invert({"a": 1}) == {1: "a"}',
    ),
    function(
        "return the items that two lists share|find the common elements of two lists",
        """
def common(first, second):
    return [item for item in first if item in second]""",
        "common([1, 2, 3], [2, 3, 4]) == [2, 3]",
    ),
    function(
        "rotate a list to the left|move the first n items of a list to its end",
        """
def rotate(items, n):
    return items[n:] + items[:n]""",
        "rotate([1, 2, 3], 1) == [2, 3, 1]",
    ),
    function(
        "check whether a list is sorted|tell if numbers are in ascending order",
        """
def is_sorted(numbers):
    return all(a <= b for a, b in zip(numbers, numbers[1:]))""",
        "is_sorted([1, 2, 2])", "not is_sorted([2, 1])",
    ),
    function(
        "find the second largest number in a list|return the second highest value of a list",
        """
def second_largest(numbers):
    return sorted(set(numbers))[-2]""",
        "second_largest([5, 1, 5, 3]) == 3",
    ),
    function(
        "sort a list of words by length|order words from short to long",
        """
def sort_by_length(words):
    return sorted(words, key=len)""",
        'sort_by_length(["abc", "a"]) == ["a", "abc"]',
    ),
    function(
        "search a sorted list by halves|implement binary search",
        """
def binary_search(items, target):
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == target:
            return middle
        if items[middle] < target:
            low = middle + 1
        else:
            high = middle - 1
    return -1""",
        "binary_search([1, 3, 5], 5) == 2", "binary_search([1, 3], 2) == -1",
    ),
    function(
        "sort numbers with bubble sort|implement bubble sort",
        """
def bubble_sort(numbers):
    numbers = list(numbers)
    for end in range(len(numbers) - 1, 0, -1):
        for i in range(end):
            if numbers[i] > numbers[i + 1]:
                numbers[i], numbers[i + 1] = numbers[i + 1], numbers[i]
    return numbers""",
        "bubble_sort([3, 1, 2]) == [1, 2, 3]",
    ),
    function(
        "multiply all numbers of a list|return the product of a list",
        """
def product(numbers):
    result = 1
    for number in numbers:
        result *= number
    return result""",
        "product([2, 3, 4]) == 24",
    ),
    function(
        "square every number in a list|return the squares of some numbers",
        """
def squares(numbers):
    return [number ** 2 for number in numbers]""",
        "squares([1, 2, 3]) == [1, 4, 9]",
    ),
    function(
        "reverse a list|return the items of a list from last to first",
        """
def reverse_list(items):
    return items[::-1]""",
        "reverse_list([1, 2, 3]) == [3, 2, 1]",
    ),
    function(
        "return the range of a list of numbers|tell how far its largest and smallest are apart",
        """
def value_range(numbers):
    return max(numbers) - min(numbers)""",
        "value_range([3, 9, 5]) == 6",
    ),
)  # fmt: skip
