"""Topics of the kitchen: what one likes to eat, how it is made, and what it gives."""

from demo_text.kinds.topics import Ask, Topic, rows

SEASONING = Topic(
    openings=(
        "What do you like to season your food with?",
        "Which ingredient could you not cook without?",
        "What's your secret ingredient?",
        "Is there a spice that you use a lot?",
        "What do you put on your food most often?",
        "Name something from your kitchen that you love.",
        "What should always be in a kitchen?",
    ),
    statements=(
        "I'm very fond of {item}. A little of it gives {dish} a lovely {taste}.",
        "That would be {item}! It brings just enough {taste} to {dish}.",
        "I always have {item} at hand. It lends {dish} a certain {taste}.",
        "Definitely {item}. With {dish}, it adds the perfect amount of {taste}.",
        "I would say {item}, because {dish} needs some {taste}.",
        "My choice is {item}: it adds a bit of {taste} to {dish}.",
    ),
    asks=(
        Ask(
            ("A bit of what?", "Enough of what?", "It adds what?", "What does it add?",
             "The perfect amount of what?", "How much of what, sorry?", "A hint of what?",
             "What does it bring?", "Some what?"),
            ("{taste^}: that is what {item} gives to {dish}.",
             "I meant {taste}. That's what {item} adds.",
             "{taste^}. {item^} gives just enough of it to {dish}.",
             "The {taste} that comes from {item}.",
             "Sorry, I wasn't clear: {item} adds {taste} to {dish}.",
             "I was talking about {taste}, which {item} brings to {dish}."),
        ),
        Ask(
            ("To what?", "What do you put it on?", "With which dish?", "What does it go with?",
             "What do you eat it with?"),
            ("{dish^}.", "I put it on {dish}.", "{item^} goes well with {dish}.",
             "Mostly {dish}: {item} gives it {taste}."),
        ),
        Ask(
            ("What does?", "Which one was that?", "What was it called again?", "What gives that?"),
            ("{item^}.", "It was {item}.", "I meant {item}, which adds {taste}.",
             "That's {item}: it gives {dish} its {taste}."),
        ),
    ),
    rows=rows(
        "item|taste|dish",
        "smoked paprika|smoky warmth|roasted potatoes",
        "fresh basil|peppery sweetness|a tomato salad",
        "soy sauce|salty depth|fried rice",
        "maple syrup|mild sweetness|oatmeal",
        "grated ginger|gentle heat|carrot soup",
        "cinnamon|warm sweetness|baked apples",
        "balsamic vinegar|fruity sourness|strawberries",
        "toasted sesame|nutty crunch|noodles",
        "fresh mint|coolness|a cucumber salad",
        "roasted garlic|mellow sweetness|mashed potatoes",
        "chili flakes|sharp heat|a simple pizza",
        "Dijon mustard|sharpness|a vinaigrette",
        "capers|saltiness|grilled fish",
        "cumin|earthy warmth|lentil stew",
        "plain yogurt|creamy freshness|a spicy curry",
        "horseradish|bite|boiled beef",
        "rosemary|a scent of pine|roast lamb",
        "brown butter|nutty richness|pumpkin ravioli",
        "pickled onions|tangy crunch|a bean taco",
        "miso paste|savory depth|vegetable broth",
    ),
)  # fmt: skip

RECIPE = Topic(
    openings=(
        "How do you make {dish}?",
        "What do I need for {dish}?",
        "Can you tell me how to cook {dish}?",
        "Do you have a quick recipe for {dish}?",
        "I'd like to make {dish} tonight. Any advice?",
        "What matters most when I cook {dish}?",
    ),
    statements=(
        "For {dish} you need {amount} of {item}. Let it cook for {time}, and serve it with {side}.",
        "It's easy: take {amount} of {item}, cook it for {time}, and eat it with {side}.",
        "Start with {amount} of {item}. After {time} it is done. It tastes best with {side}.",
        "{dish^} takes about {time}. Use {amount} of {item}, and put {side} beside it.",
    ),
    asks=(
        Ask(
            ("How much of it?", "How much?", "What amount?", "How much should I take?",
             "How much do I need of it?"),
            ("{amount^}.", "You need {amount} of {item}.", "Take {amount}.",
             "About {amount} of {item} for {dish}.", "Use {amount}."),
        ),
        Ask(
            ("{amount^} of what?", "Of what?", "Of which ingredient?"),
            ("Of {item}.", "{item^}: you need {amount} of it.", "I meant {amount} of {item}.",
             "{amount^} of {item}, for {dish}."),
        ),
        Ask(
            ("For how long?", "How long?", "How long does it take?", "When is it done?"),
            ("For {time}.", "About {time}.", "Let it cook for {time}.", "It takes {time}.",
             "It is done after {time}."),
        ),
        Ask(
            ("With what?", "What do I serve with it?", "And what goes with it?",
             "What did you say to eat it with?"),
            ("With {side}.", "{side^} goes well with {dish}.", "Serve it with {side}.",
             "I'd put {side} beside it."),
        ),
    ),
    rows=rows(
        "dish|item|amount|time|side",
        "lentil soup|red lentils|200 grams|25 minutes|toasted bread",
        "rice pudding|short-grain rice|one cup|40 minutes|cherry compote",
        "tomato sauce|ripe tomatoes|half a kilo|30 minutes|spaghetti",
        "pumpkin soup|pumpkin|one kilo|20 minutes|roasted seeds",
        "mushroom stew|brown mushrooms|500 grams|15 minutes|dumplings",
        "potato salad|waxy potatoes|800 grams|20 minutes|pickles",
        "polenta|cornmeal|250 grams|35 minutes|fried sage",
        "porridge|rolled oats|half a cup|10 minutes|sliced banana",
        "bean chili|kidney beans|two cans|45 minutes|rice",
        "onion soup|onions|six pieces|50 minutes|melted cheese",
        "apple sauce|sour apples|five pieces|15 minutes|pancakes",
        "chicken broth|chicken wings|one kilo|two hours|thin noodles",
        "vegetable curry|coconut milk|400 milliliters|30 minutes|flatbread",
        "pea soup|split peas|300 grams|an hour|rye bread",
        "couscous salad|couscous|one cup|8 minutes|grilled peppers",
    ),
)  # fmt: skip

DRINK = Topic(
    openings=(
        "What do you drink in the afternoon?",
        "Which drink do you recommend when it is cold?",
        "What would you offer a guest?",
        "Tell me about your favorite drink.",
        "What should I drink before bed?",
    ),
    statements=(
        "I'd go for {item}. Brew it for {time} and add {extra}. It makes you feel {effect}.",
        "How about {item}? It needs {time}, and with {extra} it leaves you {effect}.",
        "A cup of {item} with {extra}. Give it {time}; afterwards one feels {effect}.",
    ),
    asks=(
        Ask(
            ("A cup of what?", "Which drink?", "What was it again?", "Which one?"),
            ("{item^}.", "{item^}, with {extra}.", "I was speaking of {item}.", "It's {item}."),
        ),
        Ask(
            ("With what?", "What goes into it?", "What do I add?"),
            ("{extra^}.", "You add {extra}.", "With {extra}: that goes well with {item}."),
        ),
        Ask(
            ("How long?", "For how many minutes?", "How much time does it need?"),
            ("{time^}.", "It needs {time}.", "Brew it for {time}."),
        ),
        Ask(
            ("How does one feel?", "It makes you what?", "And the effect?"),
            ("It makes you feel {effect}.", "{effect^}.", "One feels {effect} after {item}."),
        ),
    ),
    rows=rows(
        "item|time|extra|effect",
        "green tea|two minutes|a slice of apple|awake",
        "chamomile tea|eight minutes|honey|calm",
        "hot chocolate|five minutes|a pinch of salt|cozy",
        "ginger tea|ten minutes|brown sugar|warm",
        "black coffee|four minutes|cardamom|focused",
        "rooibos|six minutes|vanilla|relaxed",
        "peppermint tea|seven minutes|fresh leaves|refreshed",
        "spiced milk|three minutes|nutmeg|sleepy",
        "elderflower tea|nine minutes|a little syrup|better",
        "barley coffee|five minutes|oat milk|satisfied",
    ),
)  # fmt: skip

KITCHEN = (SEASONING, SEASONING, RECIPE, DRINK)
