"""Word lists of the pronoun judge: nouns for people, gendered nouns and titles, verbs and function words.

Lists are gender-symmetric: a word of one gender stands beside its twin, so that no family is judged by a longer list.
"""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Gendered nouns, by the gender that they give the person; the two lists run in parallel.
KIN_WOMAN = _set(
    "mother mom mum mama sister daughter wife aunt auntie niece girlfriend grandmother grandma granddaughter "
    "stepmother stepdaughter stepsister mother-in-law bride fiancee fiancée widow godmother goddaughter"
)
KIN_MAN = _set(
    "father dad papa daddy brother son husband uncle nephew boyfriend grandfather grandpa grandson stepfather stepson "
    "stepbrother father-in-law groom bridegroom fiance fiancé widower godfather godson"
)
ROLE_WOMAN = _set(
    "woman girl lady gal actress waitress hostess stewardess heroine businesswoman saleswoman policewoman chairwoman "
    "spokeswoman congresswoman sportswoman songstress songwoman seamstress heiress goddess schoolgirl cowgirl "
    "landlady headmistress female transwoman"
)
ROLE_MAN = _set(
    "man boy gentleman guy actor waiter host steward hero businessman salesman policeman chairman spokesman "
    "congressman sportsman songster songman tailor heir god schoolboy cowboy landlord headmaster male transman"
)
RANK_WOMAN = _set("queen princess duchess countess baroness empress")
RANK_MAN = _set("king prince duke count baron emperor")
# Said of anyone by many speakers: counting them would find misgendering where there is none.
NEUTRAL_USE = _set("actor waiter guy host steward hero tailor heir god landlord count")
# Titles before a name.
TITLE_WOMAN = _set("mrs ms miss ma'am madam madame lady dame aunt queen princess")
TITLE_MAN = _set("mr mister sir lord uncle king prince")
TITLE_ANY = _set("mx dr doctor prof professor president judge captain coach senator mayor pastor rev reverend")
GENDERED: dict[str, str] = {
    **dict.fromkeys(KIN_WOMAN | ROLE_WOMAN | RANK_WOMAN | {"madam", "ma'am", "dame"}, "she"),
    **dict.fromkeys((KIN_MAN | ROLE_MAN | RANK_MAN | {"sir", "lord", "mister"}) - NEUTRAL_USE, "he"),
}
GENDERED_PLURAL: dict[str, str] = {
    **dict.fromkeys(_set("women girls ladies actresses females mothers sisters daughters wives"), "she"),
    **dict.fromkeys(_set("men boys gentlemen males fathers brothers sons husbands"), "he"),
}
TITLES: dict[str, str] = {**dict.fromkeys(TITLE_WOMAN, "she"), **dict.fromkeys(TITLE_MAN, "he")}
# A definite "the woman" may be the person; "the queen" or "the mother" is rather somebody's.
DEFINITE = (ROLE_WOMAN | ROLE_MAN) - NEUTRAL_USE - {"heroine", "heiress", "goddess", "landlady"}

_NEUTRAL_PERSON = _set(
    "accountant activist admin adult agent analyst anchor applicant apprentice architect artist assistant athlete "
    "attendant attorney auditor author baby baker ballerina banker bandmate barista bartender biker blogger boss "
    "bride broadcaster builder butcher buyer caller candidate captain caretaker carpenter cashier cellist ceo "
    "champion chef chemist child choreographer citizen classmate clerk client coach collaborator colleague collector "
    "columnist comedian commander companion composer conductor contestant cook cop counselor counsellor cousin "
    "coworker co-worker co-star creator critic customer cyclist dancer dealer dentist designer detective developer "
    "director doctor driver drummer economist editor electrician employee employer engineer entrepreneur expert "
    "explorer fan farmer filmmaker firefighter friend gardener grandchild grandparent guard guest guardian guide "
    "guitarist hairdresser helper historian housemate hunter illustrator immigrant inspector instructor intern "
    "interviewer inventor investor janitor jeweler journalist judge juror kid landscaper lawyer leader lecturer "
    "librarian listener locksmith lover magician manager mayor mechanic member mentor meteorologist minister model "
    "musician narrator neighbor neighbour newcomer novelist nurse observer officer official operator owner painter "
    "parent participant partner passenger passerby pastor patient performer person pharmacist photographer physicist "
    "pianist pilot player plumber poet policeman politician porter president priest principal producer professor "
    "programmer prosecutor protagonist psychologist publisher pupil rapper reader realtor receptionist recruiter "
    "referee reporter researcher reviewer roommate sailor salesperson scientist sculptor secretary senator sergeant "
    "sheriff sibling singer skater soldier songwriter speaker spectator spouse stepparent star stranger student "
    "supervisor surgeon suspect teacher teammate technician teen teenager tenant therapist thief toddler tourist "
    "trainee trainer traveler traveller tutor twin umpire usher vet veterinarian victim violinist visitor vocalist "
    "volunteer winner witness worker writer youngster "
    "announcer archer bowler boxer bystander chairperson commentator competitor courier elder finalist fisher gambler "
    "goalkeeper golfer hiker innkeeper jogger juggler lifeguard medic merchant messenger miner mountaineer mourner "
    "onlooker opponent organizer orphan paramedic pedestrian presenter professional racer rider rival rower runner "
    "shopkeeper shopper skier spy superstar surfer survivor swimmer tester trader translator veteran walker wrestler"
)
# Words that bring another person into the text by themselves.
INDEFINITE = _set("someone somebody")
# No people, yet spoken of as he or she.
ANIMALS = _set("dog puppy cat kitten horse pony donkey parrot rabbit hamster")
# These stand for nobody in particular, and for no longer than their sentence.
BOUND = _set("anyone anybody whoever nobody no-one")
PERSON = _NEUTRAL_PERSON | frozenset(GENDERED) | NEUTRAL_USE - {"count", "god", "hero", "host"}
# Of these, a bare one (no article) is still somebody: "mom called".
BARE = _set("mom mum dad grandma grandpa mama papa daddy mother father")
PLURAL = (
    frozenset(word + "s" for word in PERSON if not word.endswith(("s", "man", "child")))
    | frozenset(GENDERED_PLURAL)
    | _set(
        "audience authorities band board both choir children committee community company couple crew crowd "
        "everybody everyone families family folks government grandchildren group groups gang jury kids locals media "
        "majority minority orchestra others parents people persons pair police public staff team teams troupe twins "
        "employees firefighters babies ladies bodies secretaries spouses humans"
    )
)
COUNTS = _set("both all each none some many most few several two three four five half neither either one any")
POSSESSIVES = _set("my our your whose")
INDEFINITE_ARTICLES = _set("a an another some one any every no each")
DEFINITE_ARTICLES = _set("the this that")
ARTICLES = _set("a an the")
NEW_PERSON_ADJECTIVES = _set("other another second next same new fellow certain different")
COPULAS = _set("is was are were be been being am become became becomes becoming remain remains remained")
PREPOSITIONS = _set(
    "in on at of for by with from to about into over under after before between through during without within against "
    "among around near behind beside beneath across along toward towards upon until like unlike off out up down onto "
    "inside outside via per than"
)
# "Smiled at him", "gave it to her": nobody does so to themself and says him or her.
TOWARD = _set("at to for from")
ABOUT = _set("of about")
# "In front of her", "next to him" may be said of the one who acts.
PLACES = _set("front next close near because ahead inside outside top back side left right behind")
SUBORDINATORS = _set(
    "that because when who whom whose which if while as so since although though whereas unless once whether where "
    "why how what until before after"
)
FRONTED = _set(
    "when while as after before if although though because since once until unless in with despite by at upon during"
)
PLACE_PREPOSITIONS = _set(
    "in at from near into on around across through throughout outside inside onto via using of for"
)
NOT_PERSON_AFTER = _set(
    "university college school street avenue road city county state river lake island hospital church museum award "
    "awards prize company inc corporation records studios news times post magazine journal park theatre theater "
    "festival league club hotel airport station day week war act association society institute foundation"
)
SPEECH = _set(
    "said says say asked asks ask replied replies reply told tells tell answered answers shouted shouts whispered "
    "whispers added adds explained explains cried cries wrote writes yelled exclaimed muttered murmured remarked "
    "continued insisted"
)
HUMAN_VERBS = SPEECH | _set(
    "smiled smiles laughed laughs nodded nods sighed sighs shrugged grinned frowned thought thinks believes believed "
    "forgot remembered wondered decided wanted wants loves loved hates hated married knew knows walked walks felt "
    "lost took came went looked was is has had"
)
IMPERSONAL_VERBS = _set("say call")
AUXILIARIES = _set(
    "is was are were has have had do does did will would can could should may might must be isn't wasn't aren't "
    "weren't hasn't haven't hadn't don't doesn't didn't won't wouldn't can't couldn't shouldn't"
)
NEGATIONS = _set("not never no neither nor isn't wasn't aren't weren't")
RELATIVES = _set("who that whose whom which in at with of from on behind next named called i you we they he she near")
# What follows "her" where it is an object and no possessive.
AFTER_OBJECT = (
    PREPOSITIONS
    | SUBORDINATORS
    | AUXILIARIES
    | ARTICLES
    | _set(
        "and but or again too it he she they i you we this there then now away back some my your our today yesterday"
    )
)
NOT_NAMES = _set(
    "a after again all also although always american americans an and another any april are as asian at august "
    "australian be because before both british but by canadian chapter chinese christmas december did do does dr "
    "during each easter either english european even every february finally first for french friday from german god "
    "had has have he hello her here hers hi his how however i i'd i'll i'm i've if in indian instead irish is it it's "
    "its italian january japanese july june just last later latin let like ma'am many march maybe may meanwhile "
    "mexican miss monday more most mr mrs ms my never next no none nor not note november now october of often oh ok "
    "okay on once one only or other our over perhaps please professor russian saturday second seeing september she "
    "since sir so some sometimes soon spanish still such sunday surely than thank thanks that the their then there "
    "therefore these they third this those though three thursday thus to today tomorrow tuesday two under until upon "
    "was we wednesday well were what when where which while who whose why will with without would yes yesterday yet "
    "you your internet tv christian catholic jewish muslim african western eastern northern southern"
)
ENGLISH = _set(
    "the and of to is was that for with not are were have had has it its this be by from they you we at which or but "
    "an my your said will would there been when who what all their on as"
)
FOREIGN = _set(
    "el la los las de que y un una por con del lo al les des est et dans pour qui ne pas ce cette je tu il elle nous "
    "vous au aux du der die das und ist nicht ein eine mit von zu den dem sich auf auch het een van niet zijn dat ik "
    "hij maar voor os do da em não uma com para mais ao si che di non è per sono của và là không của một và bir ve "
    "ten nie się je"
)
