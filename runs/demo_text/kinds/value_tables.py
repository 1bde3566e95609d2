"""Names, places and things that fields of records are filled with."""

FIRST_NAMES = (
    "Anna", "Marco", "Chloé", "Jürgen", "Lucía", "Paolo", "Aisha", "Wei", "Hiroshi", "Priya",
    "Mateo", "Ingrid", "Oluwaseun", "Fatima", "Søren", "Zoë", "Émile", "Giulia", "Björn", "Nadia",
    "Omar", "Katarzyna", "Dmitri", "Yuki", "Carlos", "Beatriz", "Liam", "Noor", "Tomás", "Elif",
    "Ravi", "Hannah", "Kwame", "Leila", "Pierre", "Greta", "Ahmed", "Sofia", "Viktor", "Amélie",
    "Rosa", "Henry", "Maeve", "Tariq", "Linh", "Pablo", "Astrid", "Jamal", "Chiara", "Niklas",
)  # fmt: skip
LAST_NAMES = (
    "Rossi", "Dubois", "Müller", "García", "Okafor", "Chen", "Tanaka", "Sharma", "Kowalski",
    "Andersson", "Novak", "Silva", "O'Connor", "Haddad", "Nguyen", "Larsen", "Moreau", "Schneider",
    "Fernández", "Bianchi", "Petrov", "Yilmaz", "Mensah", "Park", "Costa", "Fischer", "Lefèvre",
    "Romano", "Khan", "Jensen", "Brown", "Walker", "van Dijk", "Popescu", "Horvath", "Alvarez",
    "Baker", "Nakamura", "Eriksson", "Adeyemi",
)  # fmt: skip
STREETS = (
    "Maple Avenue", "Rue de la Paix", "Hauptstraße", "Calle Mayor", "Via Garibaldi", "Oak Road",
    "King's Lane", "Station Street", "Avenida del Sol", "Mill Hill", "Harbour Walk", "Elm Drive",
    "Church Row", "Lindenweg", "Rue Victor Hugo", "Via Roma", "Park Place", "River Terrace",
    "Sunset Blvd", "High St", "Baker Court", "Garden Way", "Bahnhofplatz", "Plaza Nueva",
)  # fmt: skip
CITIES = (
    "Lyon", "Bologna", "Seville", "Hamburg", "Osaka", "Nairobi", "Porto", "Toronto", "Lima",
    "Krakow", "Dublin", "Mumbai", "Oslo", "Marseille", "Valencia", "Leipzig", "Turin", "Boston",
    "Accra", "Hanoi", "Denver", "Bergen", "Zürich", "Málaga", "Nantes", "Seoul", "Austin", "Quito",
)  # fmt: skip
COUNTRIES = (
    "France", "Italy", "Spain", "Germany", "Japan", "Kenya", "Portugal", "Canada", "Peru",
    "Poland", "Ireland", "India", "Norway", "Ghana", "Vietnam", "Brazil", "Chile", "Austria",
)  # fmt: skip
PRODUCTS = (
    "desk lamp", "wireless mouse", "olive oil", "running shoes", "coffee grinder", "backpack",
    "wool scarf", "notebook", "garden hose", "phone case", "kettle", "yoga mat", "headphones",
    "bicycle bell", "toaster", "umbrella", "water bottle", "office chair", "tea towel", "drill",
)  # fmt: skip
COLOURS = (
    "blue", "dark green", "red", "white", "black", "yellow", "grey", "orange", "silver", "brown",
)  # fmt: skip
JOBS = (
    "nurse", "carpenter", "data analyst", "teacher", "plumber", "chef", "architect", "librarian",
    "electrician", "journalist", "farmer", "pilot", "pharmacist", "translator", "gardener",
)  # fmt: skip
COMPANIES = (
    "Nordwind GmbH", "Blue Harbor Ltd.", "Café Central", "Sol y Mar S.A.", "Rossi & Figli",
    "Greenleaf Inc.", "Atlas Logistics", "Pixel & Co.", "Old Mill Bakery", "Summit Labs",
)  # fmt: skip
TITLES = (
    "The Silent River", "Night Train", "A Year of Rain", "Letters from the Coast", "Blue Hours",
    "The Clockmaker", "Salt and Stone", "Second Spring", "The Last Orchard", "Paper Boats",
)  # fmt: skip
GENRES = ("novel", "poetry", "history", "crime", "biography", "science fiction", "travel", "essay")
EVENTS = (
    "book fair", "team meeting", "jazz concert", "open day", "chess tournament", "yoga class",
    "board meeting", "wine tasting", "school play", "flea market", "workshop", "city run",
)  # fmt: skip
PLACES = (
    "Town Hall", "Room 12", "Riverside Park", "the old library", "Hall B", "Studio 4",
    "Café Luna", "Main Stage", "Community Center", "Building 7, 2nd floor",
)  # fmt: skip
PETS = ("dog", "cat", "rabbit", "parrot", "hamster", "pony", "tortoise", "goldfish")
PET_NAMES = ("Milo", "Luna", "Biscuit", "Nero", "Pepper", "Fifi", "Coco", "Rex", "Minou", "Olive")
BREEDS = ("beagle", "Siamese", "mixed", "dwarf", "Border Collie", "tabby", "Shetland", "grey")
CARS = ("Toyota", "Renault", "Fiat", "Volvo", "Škoda", "Honda", "Seat", "Ford", "Kia", "Peugeot")
DISHES = (
    "lentil soup", "vegetable curry", "mushroom risotto", "apple pie", "fish tacos", "ratatouille",
    "potato gratin", "tomato soup", "rice salad", "banana bread",
)  # fmt: skip
SPORTS = ("tennis", "handball", "swimming", "judo", "rowing", "basketball", "climbing", "fencing")
STATUS = ("open", "closed", "pending", "shipped", "paid", "cancelled", "in progress", "draft")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
UNITS = ("kg", "g", "pieces", "boxes", "liters", "pairs", "bags")
LANGUAGES = ("English", "French", "German", "Spanish", "Italian", "Portuguese", "Japanese")
