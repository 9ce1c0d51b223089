"""What the shop's own catalogue teaches: its brands, and which words of a title tell the type."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from storewise.understand.attributes.gazetteer import Entry, Gazetteer, built_in
from storewise.understand.attributes.product import Product
from storewise.understand.attributes.text import Token, cased, is_han, joined, plain, tokens
from storewise.understand.attributes.value import MEASURES

LEAST_PRODUCTS = 3
LEAST_PRECISION = 0.5
AT_START = 0.8  # share of a word's occurrences that stand first, for a brand learned from titles alone
LONGEST_BRAND = 4  # words
MOST_ENTRIES = 30_000
LONGEST_VALUE = 60


def learn(products: Sequence[Product]) -> list[Entry]:
    """Entries of method "shop" from given values, categories and titles."""
    brands = list(_given_brands(products)) or list(_first_words(products))
    others = list(_given_words(products))
    return [*brands, *others, *_types(products, brands)][:MOST_ENTRIES]


def type_of(product: Product) -> str | None:
    """The type that the shop tells: an attribute, or else the category (of a path its last part)."""
    if told := product.given.get("type"):
        return told[0]
    category = product.category
    return category.replace(">", "/").split("/")[-1].strip() or None if category else None


def _given_brands(products: Sequence[Product]) -> Iterator[Entry]:
    count = Counter(value.strip() for p in products for value in p.given.get("brand", ()))
    best: dict[str, str] = {}
    for brand, _ in count.most_common():
        best.setdefault(plain(brand), brand)
    for low, brand in best.items():
        if 2 <= len(low) <= LONGEST_VALUE and not low.isdigit():
            yield Entry("brand", brand, low, 0.8, "shop")


def _given_words(products: Sequence[Product]) -> Iterator[Entry]:
    """Values of other given attributes that are words: found wherever they stand in a title."""
    count: Counter[tuple[str, str]] = Counter()
    for product in products:
        for name, values in product.given.items():
            if name not in MEASURES and name not in ("brand", "type"):
                count.update((name, plain(v).strip()) for v in values if 3 <= len(v) <= LONGEST_VALUE)
    from storewise.understand.attributes.canonical import canonical

    for (name, value), products_with in count.items():
        if (
            products_with >= LEAST_PRODUCTS
            and not value.replace(".", "").isdigit()
            and value not in ("true", "false")
        ):
            yield Entry(name, canonical(name, value)[0], value, 0.7, "shop")


def _first_words(products: Sequence[Product]) -> Iterator[Entry]:
    """Brands of a shop that does not name them: words that nearly always stand first and are never written small,
    with the words that nearly always follow. Needs titles in mixed case: capitals are the evidence."""
    titles = [cased(p.title) for p in products]
    if sum(any(c.islower() for c in t) for t in titles) < 0.9 * max(len(titles), 1):
        return
    known = {e.phrase for e in built_in() if e.value}
    starts: dict[str, list[list[str]]] = defaultdict(list)
    anywhere: Counter[str] = Counter()
    for title in titles:
        words = [w.text for w in tokens(title)]
        anywhere.update(set(words))
        if words and words[0][:1].isupper() and len(words[0]) > 1:
            starts[words[0]].append(words[1:LONGEST_BRAND])
    small = {w.text for p in products for w in tokens(cased(p.description)) if w.text.islower()}
    for word, followers in starts.items():
        n = len(followers)
        brand = _with_followers(word, followers, known)
        listed = all(part.lower() in known for part in brand)
        seldom = n < LEAST_PRODUCTS or (n < AT_START * anywhere[word] and len(brand) == 1)
        if not (listed or seldom or word.lower() in small or word.lower() in anywhere):
            yield Entry("brand", " ".join(brand), " ".join(brand).lower(), 0.5, "shop")


def _with_followers(word: str, followers: list[list[str]], known: set[str]) -> list[str]:
    """The word and those that follow it in nearly all titles: Red Tape, Peter England."""
    brand, rest = [word], followers
    while len(brand) < LONGEST_BRAND:
        common = Counter(words[0] for words in rest if words).most_common(1)
        frequent = common and common[0][1] >= AT_START * len(followers)
        if not frequent or not common[0][0][:1].isalpha() or common[0][0].lower() in known:
            break
        brand.append(common[0][0])
        rest = [words[1:] for words in rest if words and words[0] == common[0][0]]
    return brand


def _types(products: Sequence[Product], brands: Sequence[Entry]) -> Iterator[Entry]:
    """Words and pairs of a title that tell its type: precision n(word, type) / (n(word) + 1), at least a half."""
    noise = Gazetteer([*(e for e in built_in() if e.name not in ("type", "")), *brands])
    of: Counter[str] = Counter()
    with_type: Counter[tuple[str, str]] = Counter()
    for product in products:
        kind = type_of(product)
        if kind is None:
            continue
        for phrase in set(_phrases(product.title, noise)):
            of[phrase] += 1
            with_type[phrase, kind] += 1
    best: dict[str, tuple[float, str]] = {}
    for (phrase, kind), n in with_type.items():
        precision = n / (of[phrase] + 1)
        if (
            n >= LEAST_PRODUCTS
            and precision >= LEAST_PRECISION
            and precision > best.get(phrase, (0.0, ""))[0]
        ):
            best[phrase] = (precision, kind)
    for phrase, (precision, kind) in best.items():
        first, _, second = phrase.partition(" ")
        single = max(best.get(first, (0.0, ""))[0], best.get(second, (0.0, ""))[0]) if second else 0.0
        if precision > single:
            yield Entry("type", kind, phrase, round(0.98 * precision, 4), "shop")


def _phrases(title: str, noise: Gazetteer) -> Iterator[str]:
    """Single words and pairs that are no brand, colour, material, audience, pattern or number."""
    low = plain(title)
    words = tokens(low)
    taken = [(m.start, m.end) for m in noise.find(low, words)]

    def usable(word: Token) -> bool:
        free = not any(a <= word.start < z for a, z in taken)
        return free and (
            is_han(word.text) or (len(word.text) > 1 and not any(c.isdigit() for c in word.text))
        )

    for word, after in zip(words, [*words[1:], None], strict=True):
        if not usable(word) and len(word.text) > 1:
            continue
        if len(word.text) > 2:
            yield word.text
        if after is not None and joined(low[word.end : after.start]) and usable(after):
            yield f"{word.text} {after.text}"
