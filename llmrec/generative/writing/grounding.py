"""Is what is said true? Every named item and every cited attribute is looked up; what fails is rewritten or dropped.

An item must exist and must have been retrieved. A cited value (brand, genre, year, price, ...) must be in the item's
own record or in that of an item of the user's history; a named title must be the item's or one of the history's. What
stands in quotation marks names something: where the catalogue knows no such thing, it is an invention. So is a number
with a unit ("12-hour battery") that no record holds. A reason that claims nothing explains nothing and is rewritten.
Legend: a claim is one value, price, year, quantity or title that a reason names.
Source: METHODS 5 (grounding, reason accuracy); how claims are found is ours: the catalogue's lexicon, longest first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from llmrec.generative.records import Record, Records, Value, Words, quoted, words
from llmrec.generative.writing.answer import Reasoned

_PRICE = re.compile(r"[$€£]\s?(\d+(?:,\d{3})*(?:\.\d+)?)|(\d+(?:\.\d+)?)\s?(?:dollars|euros|usd|eur)\b", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)((?:18|19|20)\d\d)(?!\d)(?!s\b)")
_UNITS = """
% percent stars? hours? hrs? h minutes? mins? seconds? secs? days? weeks? months? mm cm m km inch inches feet foot ft g
grams? kg mg lbs? pounds? oz ounces? ml l litres? liters? gallons? gb mb tb mah wh watts? w volts? v hz khz mhz ghz dpi
mp megapixels? pixels? px pieces? packs? pcs?
"""
_QUANTITY = re.compile(rf"(?<![\w.])(\d+(?:[.,]\d+)*)[\s-]?({'|'.join(_UNITS.split())})(?![^\W_])", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
PRICE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Claim:
    """One thing a reason says.

    Attributes:
        kind: an attribute's name, price, year, quantity or title.
        text: what is said.
        true: whether it is so, of the item or of the history.
        own: whether it is so of the item itself.
    """

    kind: str
    text: str
    true: bool
    own: bool = False


@dataclass
class Checked:
    """One item after the check.

    Attributes:
        item: dense index.
        reason: what may be shown.
        claims: of the reason as it was written.
        rewritten: True when the reason had to change.
    """

    item: int
    reason: str
    claims: list[Claim] = field(default_factory=list)
    rewritten: bool = False


@dataclass
class Report:
    """A checked list.

    Attributes:
        kept: items that may be shown.
        dropped: what was named but does not exist or was not retrieved.
    """

    kept: list[Checked]
    dropped: list[str]


class GroundingChecker:
    """Checks lists against the catalogue.

    Args:
        records: the catalogue's records.
    """

    def __init__(self, records: Records) -> None:
        self.records = records

    def check(self, answer: Sequence[Reasoned], retrieved: Sequence[int], history: Sequence[int]) -> Report:
        """Verify a list; rewrite or drop what fails.

        Args:
            answer: items with reasons, as written.
            retrieved: dense items that may be listed.
            history: dense items of the user.

        Returns:
            The list that may be shown. A reason that makes false claims loses the sentences that make them; when
            nothing is left that claims anything, one is written from the record.
        """
        allowed = set(retrieved)
        kept: list[Checked] = []
        dropped: list[str] = []
        for row in answer:
            item = self.records.items.get(row.item_id, -1)
            if item not in allowed or any(item == other.item for other in kept):
                dropped.append(row.item_id)
                continue
            kept.append(self._checked(item, row.reason, history))
        return Report(kept, dropped)

    def claims(self, item: int, reason: str, history: Sequence[int]) -> list[Claim]:
        """Everything that a reason claims about item or history, in no special order."""
        own = self.records[item]
        sources = [own, *(self.records[i] for i in history)]
        titles = self.records.titles_in(reason)
        claims = [_title_claim(self.records[found], sources) for found in titles]
        plain = _without_titles(reason, [self.records[found].title for found in titles])
        claims += [_value_claim(key, value, sources) for key, value in self.records.mentions(plain)]
        claims += self._quoted_claims(plain, sources)
        return [*claims, *_number_claims(plain, own, sources)]

    def _quoted_claims(self, reason: str, sources: Sequence[Record]) -> list[Claim]:
        """What is quoted and is neither a whole title nor a known value: true as a part of a source's title alone."""
        claims = []
        for text in quoted(reason):
            key = words(text)
            if key in self.records.lexicon:
                continue  # counted among the values
            holds = [key in record.values or _within(key, words(record.title)) for record in sources]
            claims.append(Claim("title", text, any(holds), holds[0]))
        return claims

    def _checked(self, item: int, reason: str, history: Sequence[int]) -> Checked:
        claims = self.claims(item, reason, history)
        if claims and all(claim.true for claim in claims):
            return Checked(item, reason, claims)
        sentences = [part for part in _SENTENCE.split(reason) if part]
        sound = [part for part in sentences if all(claim.true for claim in self.claims(item, part, history))]
        text = " ".join(sound) if any(self.claims(item, part, history) for part in sound) else ""
        return Checked(item, text or plain_reason(self.records, item, history), claims, rewritten=True)


def plain_reason(records: Records, item: int, history: Sequence[int]) -> str:
    """A reason from the record alone: what the item shares with the history, rarest value first.

    Args:
        records: the catalogue's records.
        item: dense index.
        history: dense items, oldest first.
    """
    own = records[item]
    for past in reversed(list(history)):
        shared = [key for key in own.values if key in records[past].values]
        if shared:
            key = min(shared, key=lambda k: (records.frequency[k], k))
            return f'It shares "{own.values[key].text}" ({own.values[key].kind}) with "{records[past].title}".'
    if own.values:
        key = min(own.values, key=lambda k: (records.frequency[k], k))
        return f"Its {own.values[key].kind}: {own.values[key].text}."
    return "It is close to what you chose before."


def accuracy(claims: Sequence[Sequence[Claim]], own: bool = False) -> float:
    """Reason accuracy: share of reasons that claim something and whose every claim is true.

    Args:
        claims: of each reason; one without a claim explains nothing and counts as wrong.
        own: also ask for a claim that holds of the item itself: what is true of the history alone ("because you chose
            X, which is Y") does not explain why this item.

    Returns:
        In [0, 1]; NaN without reasons.
    """
    if not claims:
        return float("nan")
    right = [bool(found) and all(claim.true for claim in found) for found in claims]
    if own:
        right = [fine and any(c.own for c in found) for fine, found in zip(right, claims, strict=True)]
    return sum(right) / len(claims)


def _value_claim(key: Words, value: Value, sources: Sequence[Record]) -> Claim:
    """True when a record holds the value, or its title or description uses the very words."""
    holds = [key in record.values or record.vocabulary.issuperset(key) for record in sources]
    return Claim(value.kind, value.text, any(holds), holds[0])


def _title_claim(named: Record, sources: Sequence[Record]) -> Claim:
    """True for the item's own title and for titles of the history."""
    return Claim("title", named.title, any(words(record.title) == words(named.title) for record in sources))


def _number_claims(reason: str, own: Record, sources: Sequence[Record]) -> list[Claim]:
    """Prices must be the item's own, within 1 %; years any source's, or a word of its title."""
    claims = []
    for found in _PRICE.finditer(reason):
        price = float((found[1] or found[2]).replace(",", ""))
        true = own.price is not None and abs(own.price - price) <= PRICE_TOLERANCE * own.price
        claims.append(Claim("price", found[0].strip(), true, true))
    for found in _YEAR.finditer(_PRICE.sub(" ", reason)):
        holds = [record.year == int(found[1]) or found[1] in record.vocabulary for record in sources]
        claims.append(Claim("year", found[1], any(holds), holds[0]))
    for found in _QUANTITY.finditer(_PRICE.sub(" ", reason)):
        holds = [_holds_quantity(record, found[1], found[2]) for record in sources]
        claims.append(Claim("quantity", found[0], any(holds), holds[0]))
    return claims


def _holds_quantity(record: Record, number: str, unit: str) -> bool:
    """Whether a record's own words have a number and its unit, in one word ("16gb") or two, singular or plural."""
    number, unit = number.replace(",", ""), unit.casefold()
    units = {unit, unit.removesuffix("s"), f"{unit}s"}
    in_two = number in record.vocabulary and (unit == "%" or bool(units & record.vocabulary))
    return in_two or any(f"{number}{form}" in record.vocabulary for form in units)


def _within(part: Words, whole: Words) -> bool:
    """Whether some words stand in others, in one run."""
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _without_titles(reason: str, titles: Sequence[str]) -> str:
    """A reason without the titles it names, so that their words count once."""
    for title in sorted(titles, key=len, reverse=True):
        reason = re.sub(re.escape(title), " ", reason, flags=re.IGNORECASE)
    return reason
