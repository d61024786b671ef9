"""Common first names, so that a name which begins a sentence (or stands in lower case) is seen as a new person.

A name tells that there is a person and nothing about pronouns: no gender is read from it. Ours, from many languages.
"""

from __future__ import annotations

_NAMES = (
    "aaron abdul abigail adam adrian agnes ahmed aiden aisha alan albert alberto alejandro alex alexander alexandra "
    "alexis alfred ali alice alicia alison alistair allison alyssa amanda amara amber amelia amir amit amy ana anders "
    "andre andrea andrew andy angela angelica anil anita anjali ann anna anne annie anthony antonio anton anya april "
    "ari ariel arjun arthur arun asha ashley ashton astrid aubrey audrey austin ava avery barbara beatrice beatriz "
    "becky ben benjamin bernard beth betty bill billy blake bob bobby bonnie brad bradley brandon brenda brian "
    "brianna bruce bryan caleb cameron camila carl carla carlos carmen carol caroline carolyn carrie casey catherine "
    "cathy cecilia charles charlie charlotte chen cheryl chloe chris christian christina christine christopher cindy "
    "claire clara claudia colin connor corey craig crystal cynthia daisy dakota dan daniel daniela danny darnell "
    "darren dave david dawn dean deborah dennis denise derek diana diane diego dimitri dmitri dominic don donald "
    "donna doris dorothy doug douglas dylan earl eddie edgar edith eduardo edward edwin elaine eleanor elena eli "
    "elijah elise elizabeth ella ellen elliot emery emil emilia emily emma enrique eric erica erik erin ernest ethan "
    "eugene eva evan evelyn fatima felix fernando fiona florence francesca francis francisco frank fred frederick "
    "gabriel gabriela gary gavin george georgia gerald gina giulia giovanni gloria gordon grace grant greg gregory "
    "greta guillermo gustavo hana hannah hans harold harper harriet harris harry hassan hazel heather hector heidi "
    "helen helena henry hiroshi howard hugh hugo ian ibrahim ida igor ines ingrid irene iris isaac isabel isabella "
    "ismail ivan ivy jack jackie jackson jacob jacqueline jade jaime jake jamal james jamie jan jane janet janice "
    "jared jasmine jason javier jay jean jeff jeffrey jen jenna jennifer jenny jeremy jerome jerry jesse jessica "
    "jessie jill jim jimmy jin joan joanna joe joel johan john johnny jon jonas jonathan jordan jorge jose joseph "
    "joshua joy joyce juan judith judy julia julian juliana julie jules jun justin kai kamal karen karim karl kate "
    "katherine kathleen kathryn kathy katie keiko keisha keith kelly kelsey ken kenji kenneth kerry kevin khaled kim "
    "kimberly kiran kofi kumar kurt kwame kyle lance lara lars latoya laura lauren laurie lawrence leah lee leila "
    "lena leo leon leonard leslie leticia lewis liam lily lin linda lisa liz lois lola lopez lorenzo louis louise "
    "luca lucas lucia lucy luis luke lydia lynn madison maggie malik manuel marc marco marcus margaret maria mariam "
    "marie marilyn mario marion mark marta martha martin marvin mary mason mateo matt matthew maurice max maya megan "
    "mehmet mei melanie melissa mia micah michael michelle miguel mika mike mila miles mina miriam mitchell mohamed "
    "mohammed molly mona monica morgan mustafa nadia nancy naomi natalia natalie natasha nathan nathaniel neil "
    "nicholas nick nicolas nicole nikita nina noah noel nora norma norman olga oliver olivia omar oscar owen pablo "
    "pam pamela pat patricia patrick paul paula pauline pavel pedro penny pete peter peyton payton phil philip "
    "philippa phillip phyllis pierre priya quinn rachel rafael raj rajesh ralph ramon randy raul ravi ray raymond "
    "rebecca regina rene rhonda ricardo rich richard rick ricky riley rita rob robert roberta roberto robin rodney "
    "roger roland ron ronald ronnie rosa rosalie rose rosie ross rowan roy ruben ruby russell ruth ryan sabrina sally "
    "salma sam samantha samir samuel sandra sandy sanjay santiago sara sarah sasha scott sean sebastian sergei seth "
    "shane shannon sharon shaun shawn sheila shirley sidney simon skyler sofia sonia sophia sophie stacy stan stanley "
    "stefan stella stephanie stephen steve steven stuart sue susan suzanne svetlana sven sydney sylvia tamara tanya "
    "tara tariq tatiana tatum taylor ted teresa terry thelma theo theodore theresa thomas tiffany tim timothy tina "
    "todd tom tommy toni tony tracy travis tyler valerie vanessa vera vernon veronica vicki victor victoria vijay "
    "vincent virginia vivian vladimir walter wanda warren wayne wei wendy wesley will william willie winston xavier "
    "ximena yasmin yolanda yoko yuki yusuf yvonne zach zachary zara zoe zuri"
)
FIRST_NAMES = frozenset(_NAMES.split())

# Also words, months, places or verbs: a name only where it stands with a capital.
_WORDS_TOO = (
    "alexis amber april ash austin bill bob bonnie brad carol chase christian crystal daisy dakota dawn dean don earl "
    "eve florence frank georgia grace grant harper harris hazel heather hugh ivy jack jackson jade jan jasmine jay "
    "jean jin jordan joy june jun kelly ken lance lee lily lin lynn mark marc mason max may miles mina mona morgan "
    "nick noel norma pat pam paul penny pete phil quinn ray rich river rob robin rose ross ruby ruth sage sally sandy "
    "scott sky stan stella sue ted tatum taylor terry theo tim tom tony tyler vera victor victoria virginia warren "
    "wayne wei will ali ana angelica ari ariel avery ben ann asha ava chen dan ella eli jen kai kim kumar lara leo "
    "liz luke luca mia mika nina payton rene robin ron rosa sam sidney sydney"
)
LOWERCASE_NAMES = FIRST_NAMES - frozenset(_WORDS_TOO.split())
