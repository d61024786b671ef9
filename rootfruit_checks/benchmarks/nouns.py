"""Word lists of the pronoun judge: nouns for people, gendered nouns and titles, and words that are no names."""

from __future__ import annotations

# Gendered nouns and titles, by the gender that they give the person.
WOMAN = frozenset(
    (
        "woman girl lady actress waitress mother sister daughter wife queen ma'am madam mrs ms miss mom aunt "
        "niece girlfriend grandmother heroine businesswoman saleswoman policewoman hostess stewardess"
    ).split()
)
MAN = frozenset(
    (
        "man boy gentleman actor waiter father brother son husband king sir mr dad uncle nephew boyfriend "
        "grandfather guy businessman salesman policeman"
    ).split()
)
# Of these, many speakers use some of anyone; counting them would find misgendering where there is none.
NEUTRAL_USE = frozenset(("actor guy waiter").split())
GENDERED = {**dict.fromkeys(WOMAN, "she"), **dict.fromkeys(MAN, "he")}
# Nouns that bring another person, or a group, into the text.
PERSON = frozenset(
    (
        "aunt author baby boss boy boyfriend brother child coach colleague cousin coworker customer dad daughter "
        "doctor driver father friend gentleman girl girlfriend grandfather grandmother guy husband interviewer "
        "judge kid king lady lawyer man manager mom mother neighbor neighbour nurse officer parent partner person "
        "queen reporter sister son stranger student teacher uncle wife woman"
    ).split()
)
PLURAL = frozenset(
    (
        "audience authorities both boys children colleagues coworkers crowd customers doctors employees everybody "
        "everyone families family fans friends girls guests judges kids members men neighbors neighbours "
        "officials others parents people players police researchers residents scientists students teachers team "
        "visitors women workers"
    ).split()
)
# Words that stand with a capital and are no name.
NOT_NAMES = frozenset(
    (
        "a after all american an and april as at august because before british but december each english every "
        "february for french friday german he her here his how i if in it its january july june many march may "
        "monday most my no not november october on one or our saturday september she so some spanish sunday that "
        "the their then there these they this those thursday to tuesday we wednesday what when where while who "
        "why with yes you your"
    ).split()
)
