"""Topics of everyday life: tools, journeys, books, animals, plants, clothes, sport, music."""

from demo_text.kinds.topics import Ask, Topic, rows

TOOL = Topic(
    openings=(
        "Which tool do you use most?",
        "What's the most useful thing in your workshop?",
        "Do you have a favorite tool?",
        "What tool would you give a beginner?",
    ),
    statements=(
        "My {item}. Its handle is made of {material}, and I use it to {use}. I keep it {place}.",
        "I'd say the {item}: made of {material}, good to {use}, and always kept {place}.",
        "The {item}! I {use} with it, I keep it {place}, and it is made of {material}.",
    ),
    asks=(
        Ask(
            ("Made of what?", "What is it made of?", "Of which material?", "Which material?"),
            ("Of {material}.", "It's made of {material}.", "The {item} is made of {material}."),
        ),
        Ask(
            ("To do what?", "What for?", "What do you use it for?", "Good for what?"),
            ("To {use}.", "I use the {item} to {use}.", "It helps me to {use}."),
        ),
        Ask(
            ("Where?", "Kept where?", "Where is it?", "And where do you keep it?"),
            ("{place^}.", "I keep the {item} {place}.", "It is {place}."),
        ),
        Ask(
            ("Which one?", "Which tool?", "The what?"),
            ("The {item}.", "I mean the {item}, which I use to {use}.", "My {item}."),
        ),
    ),
    rows=rows(
        "item|material|use|place",
        "claw hammer|ash wood|pull out nails|by the door",
        "hand plane|beech|smooth boards|on the top shelf",
        "chisel|steel and plastic|cut joints|in a leather roll",
        "folding ruler|birch|measure planks|in my pocket",
        "garden fork|hickory|loosen the soil|in the shed",
        "screwdriver|rubber|put furniture together|in the kitchen drawer",
        "hand saw|walnut|cut branches|on a hook",
        "trowel|oak|plant bulbs|next to the watering can",
        "wrench|chrome steel|fix the bicycle|under the bench",
        "file|pear wood|sharpen blades|in a tin box",
    ),
)  # fmt: skip

JOURNEY = Topic(
    openings=(
        "Where should I go on holiday?",
        "Which city did you like best?",
        "Do you have a tip for a short trip?",
        "Where would you spend a long weekend?",
        "What place should everyone see once?",
    ),
    statements=(
        "Go to {city} in {month}. See {sight}, stay {days}, and travel by {way}.",
        "I'd choose {city}. {days^} are enough, {month} is the best time, and {sight} is a must. "
        "You get there by {way}.",
        "{city} is wonderful in {month}. Take {days} for it, go by {way}, and don't miss {sight}.",
    ),
    asks=(
        Ask(
            ("When?", "In which month?", "When exactly?", "What's the best time?"),
            ("In {month}.", "{month}.", "{city} is best in {month}.", "I'd go in {month}."),
        ),
        Ask(
            ("How long?", "For how many days?", "How long should I stay?"),
            ("{days^}.", "{days^} are enough for {city}.", "Stay {days}."),
        ),
        Ask(
            ("How do I get there?", "By what?", "How?", "And how does one travel?"),
            ("By {way}.", "You get to {city} by {way}.", "Take the {way}."),
        ),
        Ask(
            ("See what?", "What shouldn't I miss?", "What's there to see?", "Which sight?"),
            ("{sight^}.", "You should see {sight}.", "Don't miss {sight} in {city}."),
        ),
        Ask(
            ("Which city?", "To where?", "What's the name of the place?"),
            ("{city}.", "I meant {city}.", "To {city}."),
        ),
    ),
    rows=rows(
        "city|month|sight|days|way",
        "Ghent|May|the old harbor|two days|train",
        "Porto|October|the tiled station|three days|plane",
        "Bergen|June|the fish market|four days|ship",
        "Ljubljana|September|the castle hill|two days|bus",
        "Palermo|April|the covered markets|five days|ferry",
        "Krakow|December|the cloth hall|three days|train",
        "Galway|July|the cliffs nearby|four days|car",
        "Granada|March|the palace gardens|three days|train",
        "Tallinn|August|the town walls|two days|ship",
        "Bern|November|the clock tower|one day|train",
        "Nara|April|the deer park|two days|train",
        "Oaxaca|February|the weavers' village|six days|bus",
    ),
)  # fmt: skip

BOOK = Topic(
    openings=(
        "What are you reading at the moment?",
        "Can you recommend a book?",
        "Which book would you take to an island?",
        "Tell me about a book that you liked.",
    ),
    statements=(
        "I'd take {title} by {author}. It is about {about} and has some {pages} pages.",
        "{title}, about {about}. {author} wrote it, and it has about {pages} pages.",
        "I like {title}. {author} tells of {about}, on roughly {pages} pages.",
    ),
    asks=(
        Ask(
            ("By whom?", "Who wrote it?", "Who is the author?", "Who?"),
            ("{author}.", "By {author}.", "{title} is by {author}.", "It was written by {author}."),
        ),
        Ask(
            ("What is it about?", "About what?", "And what happens in it?"),
            ("About {about}.", "{title} is about {about}.", "It tells of {about}."),
        ),
        Ask(
            ("How long is it?", "How many pages?", "How many?"),
            ("About {pages} pages.", "Roughly {pages}.", "{title} has about {pages} pages."),
        ),
        Ask(
            ("Which book?", "What's it called?", "The title again?", "Which one?"),
            ("{title}.", "It's called {title}.", "I meant {title} by {author}."),
        ),
    ),
    rows=rows(
        "title|author|about|pages",
        "Moby-Dick|Herman Melville|a captain who hunts a white whale|600",
        "Emma|Jane Austen|a young woman who likes to match others|450",
        "Dracula|Bram Stoker|a count who travels to England|400",
        "Frankenstein|Mary Shelley|a scientist and his creature|280",
        "Treasure Island|Robert Louis Stevenson|a boy who finds a map|240",
        "The Time Machine|H. G. Wells|a man who visits the far future|120",
        "Middlemarch|George Eliot|people in an English town|850",
        "Candide|Voltaire|a young man who is told that all is well|130",
        "Walden|Henry David Thoreau|a life beside a pond|350",
        "Jane Eyre|Charlotte Brontë|a governess and a house with a secret|500",
    ),
)  # fmt: skip

PET = Topic(
    openings=(
        "Do you know anyone with a pet?",
        "Tell me about an animal that you like.",
        "Which animal makes a good companion?",
        "My daughter wants a pet. What do you think?",
    ),
    statements=(
        "My neighbor has {animal} called {name}. It eats {food} and sleeps {place}.",
        "I know {animal} named {name}. It loves {food}, and its bed is {place}.",
        "{name} comes to mind, {animal} that lives on {food} and sleeps {place}.",
    ),
    asks=(
        Ask(
            ("What does it eat?", "It eats what?", "Eats what?", "And the food?"),
            ("{food^}.", "It eats {food}.", "{name} eats {food}."),
        ),
        Ask(
            ("Where does it sleep?", "Sleeps where?", "Where?"),
            ("{place^}.", "It sleeps {place}.", "{name} sleeps {place}."),
        ),
        Ask(
            ("What is it called?", "Called what?", "And its name?", "What's the name?"),
            ("{name}.", "It's called {name}.", "Its name is {name}."),
        ),
        Ask(
            ("What kind of animal?", "What is it?", "Who is that?"),
            ("It's {animal}.", "{name} is {animal}.", "{animal^}."),
        ),
    ),
    rows=rows(
        "animal|name|food|place",
        "a grey parrot|Otto|sunflower seeds|on the curtain rail",
        "a lazy tomcat|Figaro|tinned tuna|on the radiator",
        "a young goat|Heidi|hay and apples|in the barn",
        "a tortoise|Turbo|dandelions|under a flowerpot",
        "a greyhound|Dash|rice with chicken|on the sofa",
        "a guinea pig|Popcorn|cucumber|in a shoe box",
        "a donkey|Pablo|straw and carrots|by the fence",
        "a duck|Quentin|peas|beside the pond",
        "a ferret|Zorro|boiled eggs|in a hammock",
        "a pony|Clover|oats|under the old oak",
    ),
)  # fmt: skip

PLANT = Topic(
    openings=(
        "What grows well on a balcony?",
        "Which plant is easy to keep?",
        "What should I plant this year?",
        "I'm new to gardening. What would you start with?",
    ),
    statements=(
        "Try {item}. Plant them in {month}, water them with {water}, and pick them after {time}.",
        "I'd start with {item}: out in {month}, watered with {water}, ready after {time}.",
        "{item^} are easy. Water them with {water}. They go out in {month} and take {time}.",
    ),
    asks=(
        Ask(
            ("How much water?", "How much?", "How much of it?", "And the water?"),
            ("{water^}.", "Give them {water}.", "Water the {item} with {water}."),
        ),
        Ask(
            ("{water^} of what?", "Of what?"),
            ("Of water.", "Of water, for the {item}.", "I meant water: {water}."),
        ),
        Ask(
            ("When?", "In which month?", "When do I plant them?"),
            ("In {month}.", "Plant {item} in {month}.", "{month}."),
        ),
        Ask(
            ("How long do I wait?", "After how long?", "When can I pick them?"),
            ("After {time}.", "{time^}.", "It takes {time} until {item} are ready."),
        ),
        Ask(
            ("Which plant?", "Which ones?", "Plant what?"),
            ("{item^}.", "I meant {item}.", "{item^}; they are easy to grow."),
        ),
    ),
    rows=rows(
        "item|month|water|time",
        "radishes|April|a small glass a day|four weeks",
        "strawberries|August|half a liter a day|nine months",
        "bush beans|May|one liter a week|ten weeks",
        "chives|March|two spoons a day|six weeks",
        "cherry tomatoes|May|a liter a day|three months",
        "sugar peas|March|a full can a week|twelve weeks",
        "marigolds|April|a cup every other day|eight weeks",
        "spring onions|February|a glass every two days|ten weeks",
        "salad greens|April|a little every morning|five weeks",
    ),
)  # fmt: skip

CLOTHES = Topic(
    openings=(
        "What do you like to wear in winter?",
        "Which piece of clothing means most to you?",
        "What should I pack for a cold week?",
        "Tell me about a present that you still use.",
    ),
    statements=(
        "A {color} {item} made of {material}. It was a gift from {giver}.",
        "I'd pick my {item}: {color}, made of {material}, and given to me by {giver}.",
        "There is a {item} of {material} that I got from {giver}. It is {color}.",
    ),
    asks=(
        Ask(
            ("What color?", "In which color?", "Which color is it?"),
            ("{color^}.", "It's {color}.", "The {item} is {color}."),
        ),
        Ask(
            ("Made of what?", "Which material?", "What is it made of?", "Of what?"),
            ("Of {material}.", "{material^}.", "The {item} is made of {material}."),
        ),
        Ask(
            ("From whom?", "Who gave it to you?", "A gift from whom?", "Who?"),
            ("From {giver}.", "{giver^} gave it to me.", "The {item} came from {giver}."),
        ),
        Ask(
            ("A what?", "What is it?", "Which piece?", "What exactly?"),
            ("A {item}, {color} and made of {material}.", "My {item}.", "The {item}."),
        ),
    ),
    rows=rows(
        "item|color|material|giver",
        "scarf|dark red|lambswool|my aunt",
        "sweater|moss green|cotton|an old friend",
        "coat|navy blue|felt|my grandmother",
        "hat|grey|alpaca|a fisherman",
        "vest|brown|corduroy|my uncle",
        "shawl|cream|silk|the neighbors",
        "jacket|black|waxed canvas|my sister",
        "cap|yellow|linen|a colleague",
        "blanket|checkered|fleece|my parents",
        "belt|tan|leather|a saddle maker",
    ),
)  # fmt: skip

HOBBY = Topic(
    openings=(
        "What do you do in your free time?",
        "Do you do any sport?",
        "How do people in your town spend their evenings?",
        "What keeps one fit?",
    ),
    statements=(
        "On {day} there is {item}. It takes {time}, it trains {part}, and one does it with {who}.",
        "{item^}! One meets {who} on {day}, for {time}, and it is good for {part}.",
        "I recommend {item}, {time} every {day}, together with {who}. It helps {part}.",
    ),
    asks=(
        Ask(
            ("How long?", "For how long?", "How much time?"),
            ("{time^}.", "For {time}.", "{item^} takes {time}."),
        ),
        Ask(
            ("On which day?", "When?", "Which day?"),
            ("On {day}.", "{day}.", "{item^} is on {day}."),
        ),
        Ask(
            ("With whom?", "Together with whom?", "Who else is there?"),
            ("With {who}.", "{who^}.", "One does {item} with {who}."),
        ),
        Ask(
            ("Good for what?", "What does it train?", "It helps what?"),
            ("{part^}.", "It's good for {part}.", "{item^} trains {part}."),
        ),
        Ask(
            ("What is on that day?", "Doing what?", "Which activity?", "What do you recommend?"),
            ("{item^}.", "I meant {item}.", "{item^}, for {time}."),
        ),
    ),
    rows=rows(
        "item|day|time|part|who",
        "rowing|Tuesday|an hour|the back|three colleagues",
        "table tennis|Friday|ninety minutes|quick eyes|a neighbor",
        "folk dancing|Wednesday|two hours|balance|people of all ages",
        "choir singing|Monday|an evening|the lungs|forty others",
        "climbing|Saturday|half a day|the fingers|a partner",
        "swimming|Thursday|forty minutes|the shoulders|a small group",
        "chess|Sunday|three hours|patience|old friends",
        "pottery|Tuesday|two hours|steady hands|a teacher",
        "badminton|Monday|an hour and a half|the legs|a team",
        "juggling|Friday|thirty minutes|concentration|two students",
    ),
)  # fmt: skip

LIFE = (TOOL, JOURNEY, BOOK, PET, PLANT, CLOTHES, HOBBY)
