"""Walking through a text, word by word: what each does to the reader's memory (`person_tracker.Reader`)."""

from __future__ import annotations

import re
from copy import copy
from functools import lru_cache

from rootfruit_checks.judges.pronouns import lexicon as words
from rootfruit_checks.judges.pronouns.person_tracker import Reader
from rootfruit_checks.judges.pronouns.phrases import (
    capital,
    follow_predicate,
    is_name,
    kind_at,
    read_people,
    read_person,
    read_thing,
    read_title,
    start_predicate,
    word_at,
)
from rootfruit_checks.judges.pronouns.tokenizer import FORMS, NOMINATIVES, Token, is_pronoun, tokens

_LIST = re.compile(
    r"[ \t]{0,20}(?:[-*\u2022\u00b7\u2013+]\s|\(?\d{1,3}[.)](?!\d)|\(?[A-Za-z][.)]\s|\[\w{0,3}\]"
    r"|#{1,6}\s|>|\||[=*_-]{3,}|<(?:li|h[1-6]|tr|td|option)\b)",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"[ \t]{0,20}([^\W\d_][\w.'\u2019-]{0,24}(?: [^\W\d_][\w.'\u2019-]{0,24}){0,2})[ \t]{0,4}:[ \t]{0,9}(?=[^\s/])"
)
_QUESTION_ANSWER = frozenset(("q", "question", "a", "answer"))
_VOICES = frozenset(("user", "assistant", "human", "bot", "interviewer", "system"))


@lru_cache(maxsize=4096)
def after_prompt(prompt: str, family: str, subject: str) -> Reader:
    """Read the prompt: whoever it introduces is known when the continuation begins. Do not change what this returns."""
    low = re.findall(r"[^\W_]+", subject.lower())
    head = bool(low) and low[0] in words.ARTICLES | words.POSSESSIVES | {"this", "that", "his", "her", "their"}
    if head:
        stop = next(
            (n for n, word in enumerate(low) if word in words.PREPOSITIONS | {"who", "that", "whose"}), len(low)
        )
        low, tail = low[max(1, stop - 1) : stop], tuple(low[stop:])
    else:
        tail = ()
    reader = Reader(family, frozenset(low), head, tail, known=frozenset(re.findall(r"[^\W_]+", prompt.lower())))
    reader.in_prompt = True
    _walk(reader, prompt)
    reader.in_prompt = False
    reader.pronouns, reader.nouns, reader.early, reader.early_nouns = [], [], [], []
    reader.quote = reader.lost = reader.touched = reader.words_in_paragraph = reader.listing = reader.named_in_line = (
        False
    )
    reader.header = False
    reader.quote_closed = reader.thing_at = -9
    reader.last_person -= 10_000
    if prompt.rstrip().endswith(('"', "\u201d")):
        reader.end_sentence()
    return reader


def read(text: str, prompt: str, family: str, subject: str) -> Reader:
    """Read a continuation, beginning with what the prompt left in memory."""
    reader = copy(after_prompt(prompt, family, subject))
    reader.pronouns, reader.nouns, reader.early, reader.early_nouns = [], [], [], []
    reader.others, reader.roles = list(reader.others), set(reader.roles)
    _walk(reader, text)
    return reader


def _walk(reader: Reader, text: str) -> None:
    stream = tokens(text)
    at = 0
    while at < len(stream):
        token = stream[at]
        if token.kind == "word":
            reader.words_in_paragraph = True
            at = _word(reader, stream, at)
            continue
        if token.kind == "line":
            _line(reader, stream, at, text)
        else:
            _mark(reader, stream, at)
        at += 1


# ---------------------------------------------------------------------- marks and lines


def _mark(reader: Reader, stream: list[Token], at: int) -> None:
    kind, before = stream[at].kind, word_at(stream, at - 1)
    if kind == "end":
        # "Mr." and "J." end no sentence.
        short = before in words.TITLES or before in words.TITLE_ANY or (len(before) == 1 and before != "i")
        if stream[at].text != "." or not short:
            reader.end_sentence()
    elif kind == "comma":
        _comma(reader, stream, at)
    elif kind == "colon":
        reader.predicate, reader.clause = 0, ""
        if before in _QUESTION_ANSWER | _VOICES and kind_at(stream, at - 2) in ("", "end", "line"):
            _voice(reader, before)
    elif kind == "open":
        reader.quote = True
        reader.quote_from = len(reader.pronouns)
        said = any(word_at(stream, n) in words.SPEECH for n in range(at - 4, at))
        reader.quote_by_person = said and reader.first_person == "S"
    elif kind == "close":
        reader.quote = reader.quote_by_person = False
        reader.quote_closed, reader.quote_to = at, len(reader.pronouns)
    else:
        reader.predicate = reader.joint = 0


def _comma(reader: Reader, stream: list[Token], at: int) -> None:
    after, second = word_at(stream, at + 1), word_at(stream, at + 2)
    joint_list = reader.last_person == at - 1
    if joint_list and reader.last_was == "S" and after in ("a", "an") and reader.first_person == "S":
        # "Kim, an actress, ...": an apposition says what a predicate says.
        reader.predicate, reader.role_in_predicate, reader.article_in_predicate = 7, False, False
    elif not reader.role_in_predicate or (after == "and" and second in words.ARTICLES):
        reader.predicate = 0
    reader.joint = 0
    goes_on = after in ("and", "but", "or") or after in words.HUMAN_VERBS or (after.endswith("ed") and len(after) > 4)
    if not (reader.predicate or goes_on) or reader.fronted:
        reader.clause = ""
    if reader.fronted:
        reader.fronted, reader.fronted_until = False, at + 5


def _line(reader: Reader, stream: list[Token], at: int, text: str) -> None:
    here = stream[at].end
    if kind_at(stream, at - 1) not in ("line", ""):
        reader.header = reader.named_in_line and kind_at(stream, at - 1) == "colon"
    blank = at == 0 or (stream[at - 1].kind == "line" and not text[stream[at - 1].end : stream[at].start].strip())
    reader.named_in_line = reader.quote = reader.quote_by_person = False
    reader.end_sentence()
    if blank and reader.words_in_paragraph:
        # A paragraph in which the person did not occur lets them go.
        reader.lost = reader.lost or not reader.touched
        reader.touched = reader.words_in_paragraph = False
    if _LIST.match(text, here):
        if not reader.header and not reader.listing:
            reader.lose()
        reader.listing = True
        return
    if text[here : here + 1].strip():
        reader.listing = False
    label = _LABEL.match(text, here)
    if label:
        _voice(reader, label.group(1).lower())


def _voice(reader: Reader, label: str) -> None:
    # An answer is about whom its question named; every other voice or field begins something new.
    if label not in ("a", "answer"):
        reader.lose()
    reader.end_sentence()


# ---------------------------------------------------------------------- words


def _word(reader: Reader, stream: list[Token], at: int) -> int:
    token = stream[at]
    low = token.low
    if token.foreign:
        return at + 1
    if token.first and low in words.FRONTED:
        reader.fronted, reader.fronted_by_phrase = True, low in words.PREPOSITIONS and low not in words.SUBORDINATORS
    if reader.joint:
        reader.joint -= 1
    if low in reader.names and _names_the_person(reader, stream, at):
        return _named(reader, stream, at)
    if low in FORMS or low == "'em":
        return _form(reader, stream, at)
    if low in ("and", "&"):
        reader.joint = 5 if reader.last_person == at - 1 else 0
        if not reader.role_in_predicate:
            reader.predicate = 0
        return at + 1
    if low in words.BOUND or (low == "one" and word_at(stream, at - 1) in ("no", "any", "every", "each")):
        reader.introduce("any", at)
        return at + 1
    the_one = low == "one" and word_at(stream, at - 1) in ("the", "this", "that") and not reader.predicate
    if low in words.INDEFINITE or the_one or (low in words.ANIMALS and word_at(stream, at - 1)):
        reader.introduce("", at)
        return at + 1
    if low in words.TITLES or low in words.TITLE_ANY:
        end = read_title(reader, stream, at)
        if end:
            return end
    follow_predicate(reader, stream, at)
    if low in words.PLURAL and not token.suffix:
        read_people(reader, stream, at)
    elif low in words.PERSON:
        read_person(reader, stream, at)
    elif is_name(reader, stream, at):
        end = at + 1
        while kind_at(stream, end) == "word" and capital(stream[end]) and word_at(stream, end) not in words.NOT_NAMES:
            end += 1
        if word_at(stream, at - 2) == "name" and word_at(stream, at - 1) in ("is", "was") and reader.sole():
            # "Her name is Jasmine": no stranger.
            reader.names |= {one.low for one in stream[at:end]}
            reader.name_person(end - 1)
        else:
            reader.introduce("", end - 1)
        return end
    elif low in ("i", "we", "you", "it"):
        reader.clause = "O"
    elif low in words.SUBORDINATORS:
        reader.clause = ""
    else:
        read_thing(reader, stream, at)
    if (
        reader.quote_closed >= at - 3
        and low in words.SPEECH
        and reader.last_was == "S"
        and reader.last_person > reader.quote_closed
    ):
        reader.spoken_by_person()
    return at + 1


def _names_the_person(reader: Reader, stream: list[Token], at: int) -> bool:
    if not reader.head:
        return True
    for back in range(at - 1, max(-1, at - 4), -1):
        low = word_at(stream, back)
        if low in words.DEFINITE_ARTICLES | words.POSSESSIVES:
            return not any(word_at(stream, n) in words.NEW_PERSON_ADJECTIVES for n in range(back, at))
        if not low or low in words.INDEFINITE_ARTICLES:
            return False
    return False


def _named(reader: Reader, stream: list[Token], at: int) -> int:
    token = stream[at]
    before = at - 2 if kind_at(stream, at - 1) == "end" and stream[at - 1].text == "." else at - 1
    title = words.TITLES.get(word_at(stream, before)) or (
        words.GENDERED.get(word_at(stream, before)) if before == at - 1 else None
    )
    if title and not reader.head and not stream[before].suffix:
        reader.noun(stream[before], title)
    end = at + 1
    if reader.tail and tuple(word_at(stream, end + n) for n in range(len(reader.tail))) == reader.tail:
        end += len(reader.tail)
    if not token.suffix and not reader.head:
        surname = set()
        while kind_at(stream, end) == "word" and capital(stream[end]) and word_at(stream, end) not in words.NOT_NAMES:
            surname.add(word_at(stream, end))
            end += 1
            if stream[end - 1].suffix:
                break
        reader.names |= surname
    clause = reader.clause
    after = word_at(stream, end)
    possessive = stream[end - 1].suffix == "'s" and after not in words.ARTICLES | {"not", "been", "also", ""}
    reader.name_person(end - 1)
    if possessive:
        reader.clause = clause
    elif not clause or after in words.COPULAS | words.SPEECH or after in words.AUXILIARIES:
        reader.clause = "S"
    if stream[end - 1].suffix == "'s" and not possessive:
        start_predicate(reader)
    if word_at(stream, end) in words.SPEECH and reader.quote_closed >= at - 2:
        reader.spoken_by_person()
    return end


def _form(reader: Reader, stream: list[Token], at: int) -> int:
    token = stream[at]
    before = stream[at - 1] if at else None
    after = stream[at + 1] if at + 1 < len(stream) else None
    if token.low == "'em":
        if reader.own != "they":
            return at + 1
        owners: tuple[str, ...] = ("they",)
    elif is_pronoun(token, before, after, reader.own):
        owners = FORMS[token.low]
    else:
        return at + 1
    family = reader.own if reader.own in owners else owners[0]
    reader.pronoun(
        token,
        family,
        at,
        [word_at(stream, n) for n in (at - 2, at - 1)],
        [word_at(stream, n) for n in (at + 1, at + 2) if kind_at(stream, n) == "word"],
    )
    if token.low in NOMINATIVES:
        reader.predicate = 0
        if token.suffix in ("'s", "'re") and reader.clause == "S":
            start_predicate(reader)
    if reader.quote_closed >= at - 2 and word_at(stream, at + 1) in words.SPEECH and reader.clause == "S":
        reader.spoken_by_person()
    return at + 1
