"""Is a text usable at all? Checks of any record: items that exist, refusals, language, length, quotes, anchors."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from data_synthesis.facts import ItemFacts
from data_synthesis.filters.chains import cites, kept_reason, without_name
from data_synthesis.leaks import SID_TOKEN
from data_synthesis.records import Record, items_of, kept_of, texts_of
from data_synthesis.text import STOPWORDS, words
from genrec.data.texts import TextRecord

_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial|large language|language model)\b"
    r"|\bi(?:'m| am) (?:sorry|unable|not able)\b|\bi (?:cannot|can't|can not|won't) (?:help|assist|comply|provide|do)\b"
    r"|\b(?:sorry|apologi[sz]e)\b.{0,40}\b(?:cannot|can't|unable)\b|\bi apologi[sz]e\b"
    r"|\bcannot (?:fulfil+|assist|comply)\b",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile('["“„«]([^"“”„«»]{1,120})["”“»]')
_MARKUP = re.compile(r"<\|?[a-z_/]+\|?>|‹[a-z]+(?:_\d+)+›|\[/?INST\]|```", re.IGNORECASE)
_FUNCTION_WORDS = {
    "en": "the of and a to in is that for with on as are this by from an it be or they their who",
    "de": "der die das und ist von mit ein eine den zu auf für nicht sich auch dem des im als",
    "fr": "le les des et est une dans pour que qui sur avec au du aux par ce cette sont",
    "es": "el los las una es por con para del que se como su al sus más esta son y",
    "it": "il gli che è di per con una del della sono nel alla dei questo anche più e",
    "pt": "os uma é para com não do da que em dos das por mais como ao pelo são",
    "nl": "het een van en is dat voor met op zijn niet aan ook als bij door deze",
}
LANGUAGES = tuple(_FUNCTION_WORDS)
_WORDS_OF = {language: frozenset(text.split()) for language, text in _FUNCTION_WORDS.items()}


@dataclass(frozen=True)
class FilterOptions:
    """What a text has to be like.

    Raises:
        ValueError: A value breaks its rule.
    """

    language: str = field(
        default="en", metadata={"help": f"language of the texts ({', '.join(LANGUAGES)}); empty = not checked"}
    )
    min_words: int = field(default=1, metadata={"help": "fewest words of each text"})
    max_words: int = field(default=400, metadata={"help": "most words of each text"})
    near_duplicates: float = field(
        default=0.9,
        metadata={
            "help": "drop a record whose word triples overlap an earlier one's by this Jaccard share or more "
            "(MinHash); 0 = keep all. Not applied to the offline teacher, whose sentences are templates"
        },
    )

    def __post_init__(self) -> None:
        if self.language and self.language not in LANGUAGES:
            raise ValueError(f"language is {self.language!r}, but must be one of {', '.join(LANGUAGES)}, or empty")
        if not 0 <= self.min_words <= self.max_words:
            raise ValueError(f"min_words {self.min_words} must lie between 0 and max_words {self.max_words}")
        if not 0 <= self.near_duplicates <= 1:
            raise ValueError(f"near_duplicates is {self.near_duplicates}, but must lie between 0 and 1")


def items_exist_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """Every item id is in the catalogue: "unknown_item" (history), "unknown_target" otherwise."""
    if not facts.knows([record.target] if record.target else []):
        return "unknown_target"
    return None if facts.knows(items_of(record)) else "unknown_item"


def text_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """Every text says something ("empty_<name>")."""
    return next((f"empty_{name}" for name, text in texts_of(record).items() if not words(text)), None)


def refusal_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """No text speaks as a model that declines ("refusal")."""
    return "refusal" if any(_REFUSAL.search(text) for text in texts_of(record).values()) else None


def markup_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """No text carries chat-template tokens, tags, code fences or semantic ids ("markup")."""
    found = any(_MARKUP.search(text) or SID_TOKEN.search(text) for text in texts_of(record).values())
    return "markup" if found else None


def length_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """Every text has between `min_words` and `max_words` words ("too_short", "too_long")."""
    sizes = [len(text.split()) for text in texts_of(record).values()]
    if any(size < options.min_words for size in sizes):
        return "too_short"
    return "too_long" if any(size > options.max_words for size in sizes) else None


def language_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """The texts are in the wanted language ("wrong_language"); names of items do not count.

    A text fails when under 70 % of its letters are Latin, or when another language's function words outnumber
    the wanted language's and are at least three and a tenth of the words.
    """
    if not options.language:
        return None
    text = _without_names(facts, record)
    letters = [c for c in text if c.isalpha()]
    latin = len(letters) if text.isascii() else sum("LATIN" in unicodedata.name(c, "") for c in letters)
    if len(letters) >= 10 and latin < 0.7 * len(letters):
        return "wrong_language"
    said = words(text)
    hits = {language: sum(word in known for word in said) for language, known in _WORDS_OF.items()}
    best = max(hits, key=lambda language: (hits[language], language == options.language))
    clear = hits[best] >= max(3, len(said) / 10)
    return "wrong_language" if clear and hits[best] > hits[options.language] else None


def quotes_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """What stands in quotation marks are names of the record's items ("unknown_quoted_item")."""
    text = _without_names(facts, record)
    for quoted in _QUOTED.findall(text):
        said = [word for word in words(quoted) if word not in STOPWORDS]
        known = facts.words_of(map(facts.index_of, items_of(record)))
        if len(said) >= 2 and not known.issuperset(said):
            return "unknown_quoted_item"
    return None


def subject_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """An item's description speaks of that item ("no_anchor"): a title word of its own or an attribute."""
    assert isinstance(record, TextRecord)
    item = facts.index_of(record.subject)
    said = set(words(" ".join(record.texts.values())))
    title = {word for word in words(facts.names.titles[item]) if word not in STOPWORDS}
    if title & said or not title or cites(facts, words(" ".join(record.texts.values())), [record.subject]):
        return None
    return "no_anchor"


def history_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """A user's text names an item of the history, an attribute of one or a telling title word ("no_anchor")."""
    said = words(" ".join(texts_of(record).values()))
    telling = {word for item in map(facts.index_of, record.history) for word in facts.telling[item]}
    return None if telling & set(said) or cites(facts, said, record.history) else "no_anchor"


def reason_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """A reason names the target ("target_not_named") and cites the history ("no_anchor")."""
    said = list(words(" ".join(texts_of(record).values())))
    rest = without_name(said, [words(form) for form in facts.names.forms(facts.index_of(record.target))])
    if len(rest) == len(said):
        return "target_not_named"
    return None if cites(facts, rest, record.history) else "no_anchor"


def kept_check(facts: ItemFacts, record: Record, options: FilterOptions) -> str | None:
    """A rewriting adds and reorders nothing ("denoised_unknown", "denoised_order") and keeps an item."""
    return kept_reason(record.history, kept_of(record), "") if kept_of(record) else "denoised_empty"


def _without_names(facts: ItemFacts, record: Record) -> str:
    """The texts with the names of the record's items blanked out, longest first."""
    text = " ".join(texts_of(record).values())
    names = Counter(form for item in map(facts.index_of, items_of(record)) for form in facts.names.forms(item))
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "█")  # one blank that keeps quotation marks in pairs
    return text
