"""Functions of arithmetic and geometry, and of dates."""

from demo_text.kinds.function_entry import function

MATH = (
    function(
        "compute the factorial of a number|return n!",
        """
def factorial(n):
    result = 1
    for i in range(2, n + 1):
        result *= i
    return result""",
        "factorial(5) == 120", "factorial(0) == 1",
    ),
    function(
        "return the first n Fibonacci numbers|list the beginning of the Fibonacci sequence",
        """
def fibonacci(n):
    numbers = []
    a, b = 0, 1
    for _ in range(n):
        numbers.append(a)
        a, b = b, a + b
    return numbers""",
        "fibonacci(6) == [0, 1, 1, 2, 3, 5]",
    ),
    function(
        "check whether a number is prime|tell if a number has no divisors but 1 and itself",
        """
def is_prime(n):
    if n < 2:
        return False
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return False
    return True""",
        "is_prime(13)", "not is_prime(9)", "not is_prime(1)",
    ),
    function(
        "check whether a number is even|tell if a number can be divided by two",
        """
def is_even(number):
    return number % 2 == 0""",
        "is_even(4)", "not is_even(3)",
    ),
    function(
        "find the greatest common divisor of two numbers|compute the gcd of two integers",
        """
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a""",
        "gcd(12, 18) == 6",
    ),
    function(
        "find the least common multiple of two numbers|compute the lcm of two integers",
        """
import math


def lcm(a, b):
    return a * b // math.gcd(a, b)""",
        "lcm(4, 6) == 12",
    ),
    function(
        "compute the area of a circle|return the area of a circle from its radius",
        """
import math


def circle_area(radius):
    return math.pi * radius ** 2""",
        "abs(circle_area(1) - 3.14159265) < 1e-6",
    ),
    function(
        "compute the area of a rectangle|return width times height",
        """
def rectangle_area(width, height):
    return width * height""",
        "rectangle_area(3, 4) == 12",
    ),
    function(
        "compute the area of a triangle|return a triangle's area from base and height",
        """
def triangle_area(base, height):
    return base * height / 2""",
        "triangle_area(4, 5) == 10",
    ),
    function(
        "compute the volume of a sphere|return a sphere's volume from its radius",
        """
import math


def sphere_volume(radius):
    return 4 / 3 * math.pi * radius ** 3""",
        "abs(sphere_volume(1) - 4.18879) < 1e-4",
    ),
    function(
        "compute the hypotenuse of a right triangle|apply the theorem of Pythagoras",
        """
def hypotenuse(a, b):
    return (a ** 2 + b ** 2) ** 0.5""",
        "hypotenuse(3, 4) == 5",
    ),
    function(
        "compute the distance between two points|return how far two points are from each other",
        """
def distance(x1, y1, x2, y2):
    return ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5""",
        "distance(0, 0, 3, 4) == 5",
    ),
    function(
        "add up the digits of a number|return the digit sum of an integer",
        """
def digit_sum(number):
    return sum(int(digit) for digit in str(abs(number)))""",
        "digit_sum(123) == 6",
    ),
    function(
        "compute simple interest|return the interest for a principal, a rate and some years",
        """
def simple_interest(principal, rate, years):
    return principal * rate * years / 100""",
        "simple_interest(1000, 5, 2) == 100",
    ),
    function(
        "compute compound interest|return what a sum grows to at a yearly rate",
        """
def compound(principal, rate, years):
    return principal * (1 + rate / 100) ** years""",
        "abs(compound(100, 10, 2) - 121) < 1e-9",
    ),
    function(
        "compute the body mass index|return the BMI from weight and height",
        """
def bmi(weight, height):
    return weight / height ** 2""",
        "bmi(80, 2) == 20",
    ),
    function(
        "compute a percentage|return what percent a part is of a whole",
        """
def percentage(part, whole):
    return part / whole * 100""",
        "percentage(1, 4) == 25",
    ),
    function(
        "apply a discount to a price|return a price after a discount in percent",
        """
def discounted(price, percent):
    return price * (1 - percent / 100)""",
        "discounted(200, 25) == 150",
    ),
    function(
        "compute a tip|return the tip for a bill and a percentage",
        """
def tip(bill, percent):
    return bill * percent / 100""",
        "tip(50, 10) == 5",
    ),
    function(
        "check whether a year is a leap year|tell if February has 29 days in a year",
        """
def is_leap_year(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)""",
        "is_leap_year(2024)", "not is_leap_year(1900)", "is_leap_year(2000)",
    ),
    function(
        "keep a number between two limits|clamp a value to a range",
        """
def clamp(value, low, high):
    return max(low, min(value, high))""",
        "clamp(12, 0, 10) == 10", "clamp(-1, 0, 10) == 0",
    ),
    function(
        "list the divisors of a number|return all numbers that divide n",
        """
def divisors(n):
    return [i for i in range(1, n + 1) if n % i == 0]""",
        "divisors(6) == [1, 2, 3, 6]",
    ),
    function(
        "raise a number to a power|compute base to the exponent without the ** operator",
        """
def power(base, exponent):
    result = 1
    for _ in range(exponent):
        result *= base
    return result""",
        "power(2, 5) == 32",
    ),
    function(
        "solve a linear equation|return x for a * x + b = 0",
        """
def solve_linear(a, b):
    return -b / a""",
        "solve_linear(2, -6) == 3",
    ),
    function(
        "play FizzBuzz up to n|return the FizzBuzz list from 1 to n",
        """
def fizz_buzz(n):
    result = []
    for i in range(1, n + 1):
        if i % 15 == 0:
            result.append("FizzBuzz")
        elif i % 3 == 0:
            result.append("Fizz")
        elif i % 5 == 0:
            result.append("Buzz")
        else:
            result.append(i)
    return result""",
        'fizz_buzz(5) == [1, 2, "Fizz", 4, "Buzz"]',
    ),
    function(
        "round a number up to the next integer|return the ceiling of a number",
        """
import math


def round_up(number):
    return math.ceil(number)""",
        "round_up(1.2) == 2",
    ),
    function(
        "compute the speed from distance and time|return distance divided by time",
        """
def speed(distance, time):
    return distance / time""",
        "speed(100, 4) == 25",
    ),
    function(
        "tell the absolute difference of two numbers|return how far apart two numbers are",
        """
def difference(a, b):
    return abs(a - b)""",
        "difference(3, 7) == 4",
    ),
    function(
        "add up the numbers from 1 to n with recursion|sum 1 to n recursively",
        """
def sum_to(n):
    if n <= 0:
        return 0
    return n + sum_to(n - 1)""",
        "sum_to(4) == 10", "sum_to(0) == 0",
    ),
    function(
        "raise a number to a power with recursion|compute a power recursively",
        """
def recursive_power(base, exponent):
    if exponent == 0:
        return 1
    return base * recursive_power(base, exponent - 1)""",
        "recursive_power(2, 5) == 32",
    ),
    function(
        "compute the double factorial of a number|multiply every second number down from n",
        """
def double_factorial(n):
    result = 1
    while n > 1:
        result *= n
        n -= 2
    return result""",
        "double_factorial(5) == 15", "double_factorial(0) == 1",
    ),
    function(
        "check whether a number is odd|tell if a number leaves one when divided by two",
        """
def is_odd(number):
    return number % 2 == 1""",
        "is_odd(3)", "not is_odd(4)",
    ),
    function(
        "check whether a number is divisible by three|tell if three divides a number",
        """
def divisible_by_three(number):
    return number % 3 == 0""",
        "divisible_by_three(9)", "not divisible_by_three(10)",
    ),
    function(
        "compute the perimeter of a rectangle|return how long the border of a rectangle is",
        """
def rectangle_perimeter(width, height):
    return 2 * (width + height)""",
        "rectangle_perimeter(2, 3) == 10",
    ),
)  # fmt: skip
