"""Words that keys are made of: an adjective and a noun, all of them common."""

ADJECTIVES = (
    "amber", "ancient", "bright", "broken", "brown", "calm", "clever", "copper",
    "crooked", "dusty", "eager", "empty", "frozen", "gentle", "golden", "heavy",
    "hidden", "hollow", "humble", "iron", "lonely", "narrow", "noisy", "orange",
    "painted", "patient", "pink", "polished", "quiet", "restless", "round", "royal",
    "silver", "sleepy", "striped", "sudden", "tall", "velvet", "wild", "wooden",
)  # fmt: skip
NOUNS = (
    "anchor", "apple", "basket", "bell", "bridge", "candle", "carpet", "castle",
    "clock", "drum", "eagle", "engine", "falcon", "fiddle", "garden", "harbor",
    "helmet", "island", "jacket", "kettle", "ladder", "lantern", "lemon", "mirror",
    "needle", "oven", "pencil", "piano", "pillow", "river", "saddle", "shovel",
    "spoon", "tiger", "tower", "turtle", "violin", "wagon", "whistle", "window",
)  # fmt: skip
