"""What words of a gift shop's titles say about the kind of thing; plurals in -s need no entry of their own."""

from __future__ import annotations

SEASONS = {
    "christmas": r"\w*christmas|xmas|advent|noel|santa|rudolph",
    "easter": r"easter",
}

PHRASES = {
    "bag": r"(?:jumbo|lunch|tote|shopper) bags?|jumbo storage bags?",
    "card & gift wrap": r"\d+ ribbons|wrap|gift ?bags?",
    "candle": r"t-?light\w*|tea ?lights?|oil burner|(?:candle|votive) ?(?:holders?|sticks?|pots?|plates?|hldr)",
    "warmer": r"(?:hot )?water bottles?|(?:hand|pocket|egg|mug) warmers?",
    "cake & baking": r"cake ?stands?|cake (?:tins?|cases?|slice|server)|(?:cup|fairy) ?cake cases|jelly moulds?",
    "sign": r"block words?|(?:memo|notice|black|chalk) ?boards?|wall art|\w* ?doorsign|alphabet letters?",
    "jewellery & keys": r"key ?-?(?:ring|fob|chain)s?|bag charms?|jewellery",
    "table linen": r"napkin rings?|tea ?towels?|place ?mats?|table ?cloths?",
    "stationery": r"(?:note|exercise|address|sketch|jotter) ?books?|writing set|stationery set|magnetic shopping list",
    "toy & game": r"playing cards|card game|snap cards|drawing slate|(?:money|piggy) ?(?:box|bank)s?|flying disc|"
    r"snakes & ladders|naughts & crosses|colouring set|building blocks?|tool set|money bank",
    "craft & sewing": r"\w* ?making set|(?:sewing|knitting|chain|craft) kits?|paint set|modelling clay",
    "garden": r"watering cans?|herb markers?|plant pots?|flower ?pots?|bird (?:bath|feeder|table)s?|"
    r"grow your own|gardening set|garden (?:tools?|set|gloves?)|gardeners? \w+|fly swats?|wasp catcher",
    "tea & coffee": r"tea ?(?:set|pot|cosy|caddy|strainer)|tea for one|coffee set|tea,coffee,sugar|mug cosy|"
    r"egg cosy",
    "storage": r"(?:trinket|jewel|storage|recipe|sewing|match) ?(?:box|pot|tin|tray|dish)(?:es|s)?",
    "light & lamp": r"lamp ?shades?|fairy lights|night ?lights?|paper ?lanterns?",
    "frame": r"(?:photo|picture) ?frames?|photo (?:cube|album|clip)s?",
    "party": r"party (?:cones|bags?|candles|hats?|flags?)|sandcastle flags|cocktail \w+|mini .*crackers|pennant",
    "fragrance": r"bath (?:salts|sponge|oil|bombs?)|lip gloss|incense\w*|joss sticks?",
    "kitchen": r"food covers?|washing up \w+|scrubbing brush|pastry brush|apple corer|sugar tongs",
}

NOUNS = {
    "bag": "bag handbag shopper washbag satchel rucksack backpack holdall tote hampers hamper lunchbox",
    "purse & wallet": "purse wallet",
    "mug & cup": "mug cup teacup saucer beaker tumbler",
    "tea & coffee": "teapot cafetiere cosy teaset infuser",
    "plate & bowl": "plate bowl dish dishes platter ramekin tureen",
    "jug & glass": "jug bottle decanter carafe flask glasses goblet jar pitcher chalice cloche wineglass",
    "cake & baking": "cakestand cases mould cutter bakeware whisk",
    "kitchen": "cutlery spoon teaspoon fork knife scale chopping pan colander opener spatula ladle "
    "bin corkscrew grater timer chopsticks cruet toastrack measure mitt glove funnel sieve juicer trivet straw "
    "dispenser",
    "table linen": "napkin serviette doily doilies coaster tablecloth apron towel teatowel runner oilcloth",
    "candle": "candle candleholder candlestick candelabra votive chocolatecandle scentcandle",
    "light & lamp": "lamp lantern lampshade chandelier torch bulb lights light headlamp",
    "fragrance": "diffuser soap sachet potpourri flannel perfume balm lotion sponge",
    "clock": "clock watch",
    "mirror": "mirror",
    "frame": "frame photoframe album picture print canvas",
    "sign": "sign plaque chalkboard tile letters",
    "cushion & textile": "cushion throw quilt blanket pillow rug curtain hammock eiderdown bedspread fabric "
    "squarecushion pad screen",
    "doormat & doorstop": "doormat mat doorstop",
    "furniture": "cabinet chair stool table shelf shelves sideboard chest drawer desk bench bookcase dresser "
    "wardrobe footstool parasol pouffe",
    "hook & knob": "hook hanger knob drawerknob doorknob rack bracket pegs",
    "storage": "basket box boxes tin storage tidy organiser container crate trunk trinket tray stand pot holder "
    "canister caddy laundry",
    "jewellery & keys": "necklace bracelet earring ring bangle brooch pendant charm bracel neckl necklac anklet "
    "tiara brooches choker",
    "accessory": "hairclip hairband hairslide headband comb umbrella scarf hat fan slipper passport sunglasses "
    "poncho compact manicure sock slides grip headphones badge mac sombrero luggage bib",
    "stationery": "notebook pen pencil rubber eraser sketchbook journal diary paperweight stamp ruler sharpener "
    "sharpner tape calculator clip notepad bookmark folder crayon chalk magnet calendar p'weight scissor",
    "card & gift wrap": "card wrap giftwrap envelope ribbon tissue sticker postcard invite tag tags reel",
    "toy & game": "toy game doll puppet jigsaw puzzle skittles dominoes dominos ball helicopter ludo soldiers "
    "skipping playhouse teddy kite windmill harmonica marbles whistle tattoo rattle hopscotch trumpet robot "
    "quoits tricycle abacus frisbee bingo gliders mobile inflatable bubbles jumper bank",
    "plasters & first aid": "plasters",
    "craft & sewing": "kit sewing knitting craft bead button patches patch tapestry twine",
    "garden": "trowel planter gnome birdhouse bucket spade thermometer windchime trellis hoe rake wheelbarrow "
    "barbecue dovecote herbs ladder",
    "party": "bunting balloon streamers confetti matches cones",
    "decoration": "decoration garland wreath ornament bauble figurine statue chime bell vase artificial branch "
    "sculpture dec windchimes cherub block",
}

MOTIFS = {
    "jug & glass": "glass",
    "decoration": "tree star heart flower snowflake angel bird butterfly butterflies rabbit bunny bunnies hen egg "
    "chick leaf rose reindeer snowman fairy feather stocking drop pear mushroom toadstool owl frog duck canary "
    "skull mouse mice lily daisy daisies deco",
    "toy & game": "animal monster dinosaur game racing spinning crawlies snake",
    "garden": "plant seeds garden picnic",
    "food & sweets": "chocolate sweet candy sucker biscuit lolly marshmallow gum",
    "fragrance": "lavender scented scent bath",
    "stationery": "paper address phone",
    "cushion & textile": "felt crochet",
    "kitchen": "kitchen cooking breakfast baking recipe",
    "party": "party birthday",
    "accessory": "hair",
    "frame": "photo",
    "card & gift wrap": "gift",
}
