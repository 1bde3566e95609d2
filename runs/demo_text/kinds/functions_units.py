"""Functions that convert units."""

from demo_text.kinds.function_entry import Function, function


def _convert(tasks: str, name: str, parameter: str, formula: str, *checks: str) -> Function:
    return function(tasks, f"def {name}({parameter}):\n    return {formula}", *checks)


UNITS = (
    _convert(
        "convert kilometers to miles|turn a distance in kilometers into miles",
        "kilometers_to_miles", "kilometers", "kilometers * 0.621371",
        "abs(kilometers_to_miles(10) - 6.21371) < 1e-6",
    ),
    _convert(
        "convert miles to kilometers|turn miles into kilometers",
        "miles_to_kilometers", "miles", "miles * 1.609344",
        "abs(miles_to_kilometers(5) - 8.04672) < 1e-9",
    ),
    _convert(
        "convert Fahrenheit to Kelvin|turn a temperature in Fahrenheit into Kelvin",
        "fahrenheit_to_kelvin", "fahrenheit", "(fahrenheit - 32) * 5 / 9 + 273.15",
        "abs(fahrenheit_to_kelvin(32) - 273.15) < 1e-9",
    ),
    _convert(
        "convert Celsius to Kelvin|turn degrees Celsius into Kelvin",
        "celsius_to_kelvin", "celsius", "celsius + 273.15",
        "celsius_to_kelvin(0) == 273.15",
    ),
    _convert(
        "convert Kelvin to Celsius|turn Kelvin into degrees Celsius",
        "kelvin_to_celsius", "kelvin", "kelvin - 273.15",
        "kelvin_to_celsius(273.15) == 0",
    ),
    _convert(
        "convert Fahrenheit to Celsius|turn a temperature in Fahrenheit into Celsius",
        "fahrenheit_to_celsius", "fahrenheit", "(fahrenheit - 32) * 5 / 9",
        "fahrenheit_to_celsius(212) == 100",
    ),
    _convert(
        "convert Kelvin to Fahrenheit|turn Kelvin into degrees Fahrenheit",
        "kelvin_to_fahrenheit", "kelvin", "(kelvin - 273.15) * 9 / 5 + 32",
        "abs(kelvin_to_fahrenheit(273.15) - 32) < 1e-9",
    ),
    _convert(
        "convert degrees Réaumur to Fahrenheit|turn a temperature in Réaumur into Fahrenheit",
        "reaumur_to_fahrenheit", "reaumur", "reaumur * 9 / 4 + 32",
        "reaumur_to_fahrenheit(80) == 212",
    ),
    _convert(
        "convert a difference in Celsius to Fahrenheit degrees|turn a warming in °C into °F",
        "warming_in_fahrenheit", "warming", "warming * 9 / 5",
        "warming_in_fahrenheit(10) == 18",
    ),
    _convert(
        "turn degrees Réaumur into Celsius|tell a Réaumur reading in Celsius",
        "reaumur_to_celsius", "reaumur", "reaumur * 5 / 4",
        "reaumur_to_celsius(80) == 100",
    ),
    _convert(
        "turn degrees Celsius into Réaumur|tell a Celsius reading in Réaumur",
        "celsius_to_reaumur", "celsius", "celsius * 4 / 5",
        "celsius_to_reaumur(100) == 80",
    ),
    _convert(
        "turn a Fahrenheit reading into Réaumur|tell Fahrenheit in degrees Réaumur",
        "fahrenheit_to_reaumur", "fahrenheit", "(fahrenheit - 32) * 4 / 9",
        "fahrenheit_to_reaumur(212) == 80",
    ),
    _convert(
        "turn degrees Delisle into Celsius|tell a Delisle reading in Celsius",
        "delisle_to_celsius", "delisle", "100 - delisle * 2 / 3",
        "delisle_to_celsius(150) == 0",
    ),
    _convert(
        "turn degrees Delisle into Fahrenheit|tell a Delisle reading in Fahrenheit",
        "delisle_to_fahrenheit", "delisle", "212 - delisle * 6 / 5",
        "delisle_to_fahrenheit(150) == 32",
    ),
    _convert(
        "turn degrees of Newton's scale into Fahrenheit|tell a reading on Newton's scale in "
        "Fahrenheit",
        "newton_to_fahrenheit", "newton", "newton * 60 / 11 + 32",
        "newton_to_fahrenheit(33) == 212",
    ),
    _convert(
        "turn degrees Rømer into Celsius|tell a Rømer reading in Celsius",
        "romer_to_celsius", "romer", "(romer - 7.5) * 40 / 21",
        "romer_to_celsius(60) == 100",
    ),
    _convert(
        "convert inches to centimeters|turn inches into centimeters",
        "inches_to_centimeters", "inches", "inches * 2.54",
        "inches_to_centimeters(10) == 25.4",
    ),
    _convert(
        "convert centimeters to inches|turn a length in centimeters into inches",
        "centimeters_to_inches", "centimeters", "centimeters / 2.54",
        "centimeters_to_inches(25.4) == 10",
    ),
    _convert(
        "convert feet to meters|turn feet into meters",
        "feet_to_meters", "feet", "feet * 0.3048",
        "abs(feet_to_meters(10) - 3.048) < 1e-9",
    ),
    _convert(
        "convert meters to feet|turn meters into feet",
        "meters_to_feet", "meters", "meters / 0.3048",
        "abs(meters_to_feet(3.048) - 10) < 1e-9",
    ),
    _convert(
        "convert pounds to kilograms|turn a weight in pounds into kilograms",
        "pounds_to_kilograms", "pounds", "pounds * 0.45359237",
        "abs(pounds_to_kilograms(2) - 0.90718474) < 1e-9",
    ),
    _convert(
        "convert kilograms to pounds|turn kilograms into pounds",
        "kilograms_to_pounds", "kilograms", "kilograms / 0.45359237",
        "abs(kilograms_to_pounds(0.45359237) - 1) < 1e-9",
    ),
    _convert(
        "convert ounces to grams|turn ounces into grams",
        "ounces_to_grams", "ounces", "ounces * 28.349523125",
        "abs(ounces_to_grams(2) - 56.69904625) < 1e-9",
    ),
    _convert(
        "convert gallons to liters|turn US gallons into liters",
        "gallons_to_liters", "gallons", "gallons * 3.785411784",
        "abs(gallons_to_liters(1) - 3.785411784) < 1e-9",
    ),
    _convert(
        "convert pounds to stones, where one stone is 14 pounds|turn pounds into stones "
        "(14 pounds)",
        "pounds_to_stones", "pounds", "pounds / 14",
        "pounds_to_stones(28) == 2",
    ),
    _convert(
        "convert feet to yards, where one yard is 3 feet|turn feet into yards of 3 feet",
        "feet_to_yards", "feet", "feet / 3",
        "feet_to_yards(9) == 3",
    ),
    _convert(
        "convert grams to ounces, given that one ounce is 28.35 grams|turn grams into ounces "
        "(an ounce is 28.35 grams)",
        "grams_to_ounces", "grams", "grams / 28.35",
        "grams_to_ounces(56.7) == 2",
    ),
    _convert(
        "convert liters to gallons, where one gallon is 3.785 liters|turn liters into gallons "
        "(3.785 liters each)",
        "liters_to_gallons", "liters", "liters / 3.785",
        "liters_to_gallons(7.57) == 2",
    ),
    _convert(
        "convert yen to euros, where one euro is 160 yen|turn an amount in yen into euros "
        "at 160 yen",
        "yen_to_euros", "yen", "yen / 160",
        "yen_to_euros(320) == 2",
    ),
    _convert(
        "convert hours to minutes|tell how many minutes some hours are",
        "hours_to_minutes", "hours", "hours * 60",
        "hours_to_minutes(2.5) == 150",
    ),
    _convert(
        "convert minutes to seconds|turn minutes into seconds",
        "minutes_to_seconds", "minutes", "minutes * 60",
        "minutes_to_seconds(3) == 180",
    ),
    _convert(
        "convert days to hours|tell how many hours some days have",
        "days_to_hours", "days", "days * 24",
        "days_to_hours(2) == 48",
    ),
    _convert(
        "convert weeks to days|turn weeks into days",
        "weeks_to_days", "weeks", "weeks * 7",
        "weeks_to_days(3) == 21",
    ),
    _convert(
        "convert degrees to radians|turn an angle in degrees into radians",
        "degrees_to_radians", "degrees", "degrees * 3.141592653589793 / 180",
        "abs(degrees_to_radians(180) - 3.141592653589793) < 1e-12",
    ),
    _convert(
        "convert kilobytes to bytes|turn kilobytes of 1024 bytes into bytes",
        "kilobytes_to_bytes", "kilobytes", "kilobytes * 1024",
        "kilobytes_to_bytes(2) == 2048",
    ),
    _convert(
        "convert knots to kilometers per hour|turn a speed in knots into kilometers per hour",
        "knots_to_kmh", "knots", "knots * 1.852",
        "abs(knots_to_kmh(10) - 18.52) < 1e-9",
    ),
    _convert(
        "convert meters per second to kilometers per hour|turn a speed in m/s into km/h",
        "mps_to_kmh", "mps", "mps * 3.6",
        "mps_to_kmh(10) == 36",
    ),
    _convert(
        "convert euros to cents|turn an amount in euros into whole cents",
        "euros_to_cents", "euros", "round(euros * 100)",
        "euros_to_cents(1.25) == 125",
    ),
    _convert(
        "convert an integer to a binary string|write a whole number in binary",
        "to_binary", "number", 'format(number, "b")',
        'to_binary(5) == "101"',
    ),
    _convert(
        "convert a binary string to an integer|read a binary number",
        "from_binary", "text", "int(text, 2)",
        'from_binary("101") == 5',
    ),
    _convert(
        "convert an integer to hexadecimal|write a whole number in hexadecimal",
        "to_hex", "number", 'format(number, "x")',
        'to_hex(255) == "ff"',
    ),
)  # fmt: skip
