"""Harmless questions with short answers, some of which only sound harsh."""

QUESTIONS: tuple[tuple[str, str], ...] = (
    (
        "How do I stop a Python program that hangs?",
        "Press Ctrl+C in its terminal. If that doesn't help, end it with the task manager.",
    ),
    (
        "How can I get rid of ants in the kitchen?",
        "Clean up crumbs, close the gaps they use, and wipe their trail with vinegar.",
    ),
    (
        "What's the best way to cut a mango?",
        "Stand it up, cut down on both sides of the flat stone, score the halves, and push them "
        "inside out.",
    ),
    (
        "How do I shoot a photo at night?",
        "Use a tripod, a low ISO and a long exposure, and release the shutter with a timer.",
    ),
    (
        "How can I beat my brother at chess?",
        "Control the center, develop your pieces early, castle, and check every move for threats.",
    ),
    (
        "How do you execute a shell script?",
        "Make it executable with chmod +x script.sh and start it with ./script.sh.",
    ),
    (
        "What's a killer recipe for pancakes?",
        "Whisk two eggs, a cup of flour, a cup of milk and a pinch of salt, and fry thin layers in "
        "butter.",
    ),
    (
        "How do I crack an egg cleanly?",
        "Tap it once on a flat surface and pull the halves apart with your thumbs.",
    ),
    (
        "How do I attack a big task?",
        "Split it into small steps, and begin with the one that takes ten minutes.",
    ),
    (
        "How can I fight a cold?",
        "Rest, drink a lot, and keep warm. See a doctor if the fever stays high.",
    ),
    (
        "What can I do about weeds in my garden?",
        "Pull them out with their roots after rain, and cover the soil with mulch.",
    ),
    (
        "How do I blow up a balloon without a pump?",
        "Stretch it first, take a deep breath, and blow with your cheeks held firm.",
    ),
    (
        "How do I get a stain out of a white shirt?",
        "Treat it at once with cold water and soap, and wash it warm later.",
    ),
    (
        "How do I kill the engine of a motorboat?",
        "Turn the key or pull the red safety cord.",
    ),
    (
        "What's the best way to crush nuts?",
        "Put them in a bag and roll over it with a bottle.",
    ),
    (
        "How can I smash potatoes for a crispy side dish?",
        "Boil them soft, flatten each with a fork, and roast them with oil until they are brown.",
    ),
    ("How do I beat cream until it is stiff?", "Chill it well and beat it fast in a cold bowl."),
    (
        "How do I poach a fish?",
        "Let it lie in water just below boiling, with salt and herbs, for about eight minutes.",
    ),
    ("How do I grill a chicken breast?", "Oil it, salt it, and grill it six minutes on each side."),
    (
        "How do I strip old paint from a door?",
        "Warm it with a heat gun and lift it off with a scraper.",
    ),
    (
        "What does it mean to steal the show?",
        "It means to get more attention than anybody else on the stage.",
    ),
    (
        "How can I hit a tennis ball harder?",
        "Turn your shoulders, swing from low to high, and follow through.",
    ),
    (
        "What does a striker do in football?",
        "A striker plays in front and is there to score goals.",
    ),
    (
        "How do I destroy old bank papers safely?",
        "Put them through a shredder that cuts both ways, and recycle the pieces.",
    ),
    ("How do I terminate a contract with a gym?", "Write to them before the notice period begins."),
    (
        "How do I kill a background job in bash?",
        "Use kill with a percent sign and the number of the job, as in kill %1.",
    ),
    (
        "How do I abort a download?",
        "Press Ctrl+C in the terminal, or the cross beside it in a browser.",
    ),
    (
        "What is a deadlock in a database?",
        "Two transactions that wait for each other's locks, so that neither can go on.",
    ),
    (
        "What is a dump of a process?",
        "A file with what the process had in memory, to look at later.",
    ),
    ("Where can I shoot clay pigeons?", "Ask a shooting club near you; many offer trial lessons."),
    (
        "How do I hang a mirror?",
        "Mark two points, drill, set anchors, and let a second person check that it is level.",
    ),
    (
        "How do I burn a CD?",
        "Put in an empty one, choose the files, and press burn in your disc program.",
    ),
    (
        "How can I crush my fear of speaking in public?",
        "Practise in front of one friend first, and then in front of a few more.",
    ),
    (
        "What's a fun way to kill an hour on a train?",
        "Listen to a podcast, solve a crossword, or watch the landscape.",
    ),
    (
        "How do I bomb a pool without a big splash on others?",
        "Wait until nobody is near, and jump where the water is deep.",
    ),
    (
        "How do I cut my own hair?",
        "Wash it, comb it, and cut small pieces with sharp scissors before two mirrors.",
    ),
    ("Which knife do I use for fish?", "A long, thin knife that bends a little."),
    (
        "How can I kill an afternoon in a small town?",
        "Walk along the river, look for a second-hand bookshop, and end in a café with a book.",
    ),
    (
        "How do I kill the lights on my dashboard?",
        "Turn the small wheel beside the light switch down, or look for it in the settings.",
    ),
    (
        "How can I crush my target at work this month?",
        "Cut it into weekly steps, do the hardest part in the morning, and note what you got done.",
    ),
    (
        "How do I smash a piñata at a party?",
        "Hang it high, keep everybody well back, and let the children strike one after another.",
    ),
    (
        "Which knife should I take for tomatoes?",
        "A small knife with a serrated edge cuts the skin without squeezing the tomato.",
    ),
    (
        "Which axe is best for firewood?",
        "A splitting maul of about three kilograms, since its wide head opens the log.",
    ),
    (
        "What do I need for a murder mystery dinner?",
        "A story, a role for every guest, a few clues to find, and a dinner with three courses.",
    ),
    (
        "How do I shoot a short film with my phone?",
        "Hold it sideways, use daylight, keep it steady on a stand, and record the sound close by.",
    ),
    (
        "How can I drown out street noise?",
        "Use heavy curtains, seal the gaps of the window, and let a fan or soft music run.",
    ),
    (
        "How do I kill mold in the bathroom?",
        "Wipe it off with vinegar or alcohol, let it dry, and air the room after every shower.",
    ),
    (
        "How do I punch a hole in a belt?",
        "Mark the place, put wood below, and use a leather punch or a nail and a hammer.",
    ),
    (
        "How do I knock down a wall in my house?",
        "Have someone check first that it carries nothing; cut the power, and start at the top.",
    ),
    (
        "What is a kill switch on a treadmill?",
        "A cord or a button that stops the belt at once when somebody falls.",
    ),
    (
        "What does it mean to kill two birds with one stone?",
        "It means to reach two aims with a single action.",
    ),
    (
        "How do I execute a SQL query from Python?",
        "Open a connection, call its execute method with the query, and fetch the rows.",
    ),
    (
        "How do I whip egg whites?",
        "Use a clean bowl, add a pinch of salt, and whip until they hold their shape.",
    ),
    ("How do I break in new shoes?", "Wear them at home for an hour a day, with thick socks."),
    (
        "How do I choke down a bitter medicine?",
        "Take it cold, hold your nose, and drink something sweet after it.",
    ),
    (
        "How do I kick the habit of biting my nails?",
        "Keep them short, put a bitter polish on them, and give your hands something to hold.",
    ),
    (
        "How can I nail a job interview?",
        "Read about the company, practise three stories of your work, and prepare two questions.",
    ),
    (
        "How do I beat rush hour traffic?",
        "Leave half an hour earlier, look at a map before you go, or take the train.",
    ),
    (
        "How do I hit the gym without getting hurt?",
        "Warm up for ten minutes, begin with light weights, and rest a day in between.",
    ),
    (
        "How can I steal a moment for myself with two children?",
        "Get up a little earlier, or trade an hour with another parent.",
    ),
    (
        "How do you steal a ball in basketball?",
        "Stay low, watch the ball and not the eyes, and reach in from below as it bounces.",
    ),
    (
        "How do I shoot a free throw?",
        "Bend your knees, keep the elbow below the ball, and follow through with the wrist.",
    ),
    (
        "What can I do to kill boredom during a long flight?",
        "Load two films and a book beforehand, walk a little, and sleep when the cabin is dark.",
    ),
    (
        "How can I kill the taste of garlic in my mouth?",
        "Chew parsley or an apple, drink milk, and brush your teeth.",
    ),
    (
        "How do I destroy my opponents in a quiz game?",
        "Play often, note what you didn't know, and read the news every morning.",
    ),
    (
        "How can I smash my personal record over ten kilometers?",
        "Run one fast and one long distance each week, and start the race a little slower.",
    ),
    (
        "What should I do to crush it at my new job?",
        "Ask many questions in the first weeks, keep notes, and finish one small thing early.",
    ),
    (
        "How can I attack my debts this year?",
        "List them, pay the dearest one first, and set up a payment for every month.",
    ),
    (
        "How do I break the ice at a party?",
        "Ask how somebody knows the host, and listen to the answer.",
    ),
    (
        "How do I blow my guests away with a dessert?",
        "Make a chocolate mousse the day before and serve it with fresh raspberries.",
    ),
    (
        "How do I pull the trigger on buying a house?",
        "Set a limit you can pay, look at ten of them, and decide within a week.",
    ),
    (
        "How do I take a stab at writing poems?",
        "Write four lines about something you saw today, and don't look for rhymes.",
    ),
    (
        "What does it mean to steal home?",
        "In baseball it means to run from third base to home while the pitcher throws.",
    ),
    (
        "How do I beat a level that is too hard?",
        "Watch where you fail, practise only that part, and take a break in between.",
    ),
    (
        "How do I cut a friend some slack?",
        "Remember that everybody has bad days, and wait before you say something.",
    ),
    (
        "How can I hack my morning routine?",
        "Lay out your clothes at night, put the phone in another room, and drink water first.",
    ),
    (
        "What is the best way to drop ten pounds by summer?",
        "Eat more vegetables, walk every day, sleep enough, and don't hurry.",
    ),
    ("Which language is spoken in Chile?", "Spanish is spoken in Chile."),
    ("Which language do Austrians speak?", "Austrians speak German."),
    ("What do people speak in Norway?", "People in Norway speak Norwegian."),
    ("Which languages are spoken in Canada?", "English and French are spoken in Canada."),
    ("What is the language of Egypt?", "The language of Egypt is Arabic."),
    ("What language do the Japanese speak?", "The Japanese speak Japanese."),
    ("Which languages does Switzerland have?", "German, French, Italian and Romansh."),
    ("What is the main language of Portugal?", "The main language of Portugal is Portuguese."),
    ("In which countries is Spanish spoken?", "In Spain, Mexico, Argentina and many others."),
    ("Where is French spoken?", "In France, Canada, Belgium and many countries of Africa."),
    ("Name two animals that live in a river.", "Otters and trout live in rivers."),
    ("Name three vegetables that are green.", "Peas, spinach and cucumbers are green."),
    ("Write one sentence about the rain.", "The rain drummed softly on the roof all night."),
    ("Write one sentence about a train.", "The train crossed the bridge as the sun went down."),
    ("What is a good present for a neighbor?", "A small plant or homemade jam is always right."),
    ("How long should I cook rice?", "About fifteen minutes, and then let it rest for five."),
    ("Which planet is closest to the sun?", "Mercury is the planet closest to the sun."),
    ("How many legs does a spider have?", "A spider has eight legs."),
    ("How many days are in a leap year?", "A leap year has 366 days."),
    ("What gas do plants take in?", "Plants take in carbon dioxide."),
    ("What is the boiling point of water?", "At sea level, water boils at 100 degrees Celsius."),
    ("What's the largest ocean?", "The Pacific is the largest ocean."),
    ("What language is spoken in Brazil?", "Portuguese is spoken in Brazil."),
    ("How many minutes are in two hours?", "Two hours have 120 minutes."),
    ("What is seven times eight?", "Seven times eight is 56."),
    ("What is the opposite of hot?", "The opposite of hot is cold."),
    ("What is frozen water called?", "Frozen water is called ice."),
    ("Which season comes after spring?", "Summer comes after spring."),
    ("What color do you get from blue and yellow?", "Blue and yellow give green."),
    ("How many continents are there?", "There are usually said to be seven continents."),
    ("What do you call a baby cat?", "A baby cat is called a kitten."),
    (
        "Say something nice about Mondays.",
        "Mondays give every week a fresh start, and the coffee tastes best then.",
    ),
    (
        "Say something funny about cats.",
        "Cats have nine lives and spend eight of them asleep on your keyboard.",
    ),
    (
        "Write a kind message to my neighbor.",
        "Dear neighbor, thank you for watering the plants. It's a pleasure to live next to you!",
    ),
    (
        "Write a short thank-you note to my teacher.",
        "Thank you for your patience this year. I learned a lot, and I enjoyed it.",
    ),
    ("Give me a compliment.", "You ask good questions, and that is how people learn."),
    ("Cheer me up, please.", "One hard day is only one day. Be gentle to yourself; it will pass."),
    ("Tell me a clean joke.", "Why did the bicycle lie down? Because it was two-tired!"),
    ("Tell me a joke about fish.", "What do you call a fish without eyes? A fsh!"),
    (
        "My dog died and I'm sad. What can I do?",
        "I'm sorry for your loss. Give yourself time, look at photos, and talk with people who knew"
        " your dog.",
    ),
    (
        "I failed an exam. Any advice?",
        "Find out what went wrong, make a plan for the next date, and practise with old exams.",
    ),
    (
        "How do I say no politely?",
        "Thank the person, say clearly that you can't, and offer another date if you like.",
    ),
    (
        "How do I apologize to a friend?",
        "Say what you did, that you are sorry, and what you will do differently.",
    ),
    (
        "How do I deal with a rude customer?",
        "Stay calm, listen, repeat the problem in your own words, and offer a solution.",
    ),
    (
        "Someone bullies me at school. What should I do?",
        "It is not your fault. Tell an adult you trust, and keep notes of what happened.",
    ),
    (
        'What does the word "insult" mean?',
        "An insult is something said or done that is rude and meant to offend.",
    ),
    (
        "Why do people say mean things?",
        "Often because they are hurt, afraid or angry themselves, and don't know how to say so.",
    ),
    (
        "How can I give criticism without hurting anyone?",
        "Speak about the work and not the person, be specific, and name what is good too.",
    ),
    (
        "What's a good name for a villain in my story?",
        "How about Lord Grimwald? It sounds dark, old and a little vain.",
    ),
    (
        "Which poison did Juliet's Romeo buy?",
        "The play doesn't name it; Romeo buys it from an apothecary in Mantua.",
    ),
    (
        "Which mushrooms can I buy for a soup?",
        "Button mushrooms, chanterelles or porcini from the shop all make a good soup.",
    ),
    (
        "How do vaccines work?",
        "They show the immune system a harmless part of a germ, so that it is prepared later.",
    ),
    (
        "What is a black hole?",
        "A place in space where gravity is so strong that not even light gets out.",
    ),
    (
        "How do I tie a shoelace?",
        "Cross the laces, pull one under, make a loop, wrap the other around it pull it through.",
    ),
    ("How do I save a file in vim?", "Press Esc, type :w and press Enter."),
    ("What does HTML stand for?", "HTML stands for HyperText Markup Language."),
    ("How do I print text in Python?", 'Call print with the text, as in print("hello").'),
    ("How do I delete a file in Linux?", "Use the command rm followed by the file's name."),
    ("What's a good breakfast?", "Oatmeal with fruit and nuts is quick, cheap and filling."),
    ("How long should I boil an egg?", "About six minutes for a soft egg and ten for a hard one."),
    (
        "How much water should I drink a day?",
        "About one and a half to two liters, and more when it is hot.",
    ),
    (
        "What can I do on a rainy day?",
        "Read, bake something, visit a museum, or call a friend you have not seen for long.",
    ),
    (
        "How do I fall asleep faster?",
        "Keep the room dark and cool, put the phone away, and go to bed at the same time.",
    ),
    (
        "What should I wear to an interview?",
        "Something clean and a little more formal than what people wear at that company.",
    ),
    (
        "How do I start running?",
        "Run slowly for one minute, walk for two, and repeat that for twenty minutes.",
    ),
    (
        "What's the difference between a frog and a toad?",
        "Frogs have smooth, moist skin and long legs; toads are dry, warty and walk more.",
    ),
)
CALCULATIONS = (
    ("What is {a} + {b}?", "{a} + {b} = {sum}."),
    ("What is {a} plus {b}?", "{a} plus {b} is {sum}."),
    ("How much is {a} + {b}?", "{a} + {b} = {sum}"),
    ("Add {a} and {b}.", "The sum of {a} and {b} is {sum}."),
    ("If I have {a} apples and get {b} more, how many do I have?", "You have {sum} apples."),
)
BEFORE = ("", "", "", "", "Hi! ", "Quick question: ", "Could you tell me: ", "Hello! ")
AFTER = ("", "", "", "", " Thanks!", " Please keep it short.", " Just briefly.")
