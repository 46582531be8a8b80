"""The words of the grammar dataset, each with the forms its sentences need; our own list."""

# singular plural
PEOPLE = """
actor actors|artist artists|baker bakers|boy boys|child children|clerk clerks|cook cooks|dancer dancers|
doctor doctors|driver drivers|farmer farmers|friend friends|girl girls|guest guests|hunter hunters|
judge judges|king kings|lawyer lawyers|man men|nurse nurses|painter painters|pilot pilots|player players|
poet poets|queen queens|sailor sailors|singer singers|soldier soldiers|student students|teacher teachers|
tourist tourists|visitor visitors|waiter waiters|woman women|worker workers|writer writers|neighbor neighbors|
officer officers|manager managers|scientist scientists
"""
# singular plural
THINGS = """
apple apples|bag bags|ball balls|bed beds|bell bells|bird birds|boat boats|book books|bottle bottles|
box boxes|bridge bridges|bus buses|cake cakes|camera cameras|car cars|cat cats|chair chairs|church churches|
city cities|clock clocks|coat coats|cow cows|cup cups|desk desks|dog dogs|door doors|dress dresses|egg eggs|
engine engines|flower flowers|fox foxes|game games|garden gardens|glass glasses|goose geese|hat hats|
horse horses|house houses|island islands|key keys|knife knives|lamp lamps|leaf leaves|letter letters|
machine machines|map maps|mouse mice|orange oranges|oven ovens|painting paintings|pencil pencils|
picture pictures|plate plates|road roads|rock rocks|rope ropes|school schools|ship ships|shirt shirts|
shop shops|song songs|spoon spoons|story stories|street streets|table tables|tooth teeth|tower towers|
train trains|tree trees|truck trucks|umbrella umbrellas|uncle uncles|village villages|wall walls|
watch watches|wheel wheels|window windows|wolf wolves|engineer engineers|insect insects
"""
# base third-person past participle gerund, then what follows the verb
VERBS = """
bake bakes baked baked baking bread|break breaks broke broken breaking the window|
bring brings brought brought bringing food|build builds built built building a house|
buy buys bought bought buying a car|carry carries carried carried carrying a bag|
catch catches caught caught catching a fish|choose chooses chose chosen choosing a book|
clean cleans cleaned cleaned cleaning the room|cook cooks cooked cooked cooking dinner|
cut cuts cut cut cutting wood|draw draws drew drawn drawing a map|drink drinks drank drunk drinking water|
drive drives drove driven driving a truck|eat eats ate eaten eating rice|fall falls fell fallen falling down|
feed feeds fed fed feeding the cat|fight fights fought fought fighting a war|
find finds found found finding a key|fly flies flew flown flying home|
forget forgets forgot forgotten forgetting the name|give gives gave given giving money|
go goes went gone going home|grow grows grew grown growing corn|hear hears heard heard hearing music|
help helps helped helped helping people|hide hides hid hidden hiding the money|
hold holds held held holding a cup|keep keeps kept kept keeping a secret|
know knows knew known knowing the answer|learn learns learned learned learning French|
leave leaves left left leaving town|lose loses lost lost losing the game|make makes made made making coffee|
meet meets met met meeting a friend|move moves moved moved moving north|
open opens opened opened opening the door|paint paints painted painted painting the wall|
pay pays paid paid paying the bill|play plays played played playing chess|
pull pulls pulled pulled pulling the rope|read reads read read reading a story|
ride rides rode ridden riding a horse|run runs ran run running away|say says said said saying hello|
see sees saw seen seeing the sea|sell sells sold sold selling apples|send sends sent sent sending a letter|
shake shakes shook shaken shaking the box|show shows showed shown showing the way|
sing sings sang sung singing a song|sleep sleeps slept slept sleeping outside|
speak speaks spoke spoken speaking Spanish|spend spends spent spent spending money|
steal steals stole stolen stealing a watch|swim swims swam swum swimming there|
take takes took taken taking a photo|teach teaches taught taught teaching math|
tell tells told told telling a joke|throw throws threw thrown throwing a ball|
travel travels traveled traveled traveling alone|use uses used used using a knife|
visit visits visited visited visiting Rome|wait waits waited waited waiting outside|
walk walks walked walked walking home|wash washes washed washed washing the dishes|
watch watches watched watched watching a movie|wear wears wore worn wearing a hat|
win wins won won winning the race|work works worked worked working hard|
write writes wrote written writing a book|call calls called called calling a doctor|
climb climbs climbed climbed climbing a tree|close closes closed closed closing the shop|
count counts counted counted counting the votes|dance dances danced danced dancing well|
follow follows followed followed following the rules|hit hits hit hit hitting the ball|
join joins joined joined joining the army|jump jumps jumped jumped jumping high|
lead leads led led leading a team|listen listens listened listened listening carefully|
plant plants planted planted planting a tree|push pushes pushed pushed pushing the cart|
repair repairs repaired repaired repairing the roof|smile smiles smiled smiled smiling often|
stand stands stood stood standing still|study studies studied studied studying law|
touch touches touched touched touching the wall|wake wakes woke woken waking early|
ring rings rang rung ringing the bell|begin begins began begun beginning a story|
bite bites bit bitten biting an apple|blow blows blew blown blowing a horn|
freeze freezes froze frozen freezing the meat
"""
ADJECTIVES = ("big", "small", "new", "famous", "strange", "beautiful", "pretty", "quiet")
OPEN_ADJECTIVES = ("old", "ugly", "unusual", "elegant", "angry", "odd")  # "an", not "a"
# of women and of men, in turn
NAMES = (
    ("Mary", "John"), ("Anna", "Peter"), ("Susan", "David"), ("Emma", "James"), ("Laura", "Thomas"),
    ("Julia", "Robert"), ("Sarah", "Daniel"), ("Alice", "Michael"), ("Helen", "George"), ("Lucy", "Henry"),
)  # fmt: skip


def entries(words: str) -> list[list[str]]:
    """Entries separated by "|", their forms by spaces."""
    return [entry.split() for entry in words.replace("\n", "").split("|")]
