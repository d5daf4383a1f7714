"""Documents as people make them: several editors with all kinds of shared types, who now and then exchange updates."""

import random
from collections.abc import Callable
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText, get_update, merge_updates

AnyDoc = Doc[Any]

PIECES = ["a", "b", "c ", "é", "😀", "\u0301", "字", "\n", "👩‍👧"]


def characters(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6)))


def value(rng: random.Random, depth: int = 0) -> Any:
    """A value that a client may put into a map or an array."""
    plain: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.randint(-(10**6), 10**6),
        rng.random,
        lambda: characters(rng),
        lambda: 2**60,
        lambda: b"\x01\x02",
    ]
    nested: list[Callable[[], Any]] = [
        lambda: [value(rng, depth + 1) for _ in range(2)],
        lambda: {characters(rng): value(rng, depth + 1)},
    ]
    return rng.choice(plain if depth > 2 else plain + nested)()


def edit_text(doc: AnyDoc, rng: random.Random) -> None:
    text = doc.get("text", type=Text)
    whole = str(text)
    start = rng.randint(0, len(whole))
    end = min(len(whole), start + rng.randint(0, 5))
    first, last = len(whole[:start].encode()), len(whole[:end].encode())
    action = rng.randint(0, 3)
    if action == 0 and last > first:
        del text[first:last]
    elif action == 1 and last > first:
        text.format(first, last, {rng.choice("bi"): rng.choice([True, None, {"a": 1}])})
    else:
        text.insert(first, characters(rng))


def edit_embeds(doc: AnyDoc, rng: random.Random) -> None:
    text = doc.get("embeds", type=Text)
    length = len(text)
    if length and rng.random() < 0.3:
        at = rng.randrange(length)
        del text[at : at + 1]
    elif rng.random() < 0.5:
        text.insert_embed(rng.randint(0, length), rng.choice([{"image": "x"}, "plain", 3]))
    else:
        text.insert(rng.randint(0, length), "ab")


def edit_array(doc: AnyDoc, rng: random.Random) -> None:
    array = doc.get("array", type=Array)
    if len(array) and rng.random() < 0.3:
        del array[rng.randrange(len(array))]
    else:
        shared = rng.choice([Map({"q": 1}), Text("hi"), Array([1]), Doc()])
        array.insert(rng.randint(0, len(array)), shared if rng.random() < 0.4 else value(rng))


def edit_map(doc: AnyDoc, rng: random.Random) -> None:
    shared = doc.get("map", type=Map)
    key = rng.choice("abcd")
    held = shared.get(key)
    if key in shared and rng.random() < 0.2:
        del shared[key]
    elif isinstance(held, Map) and rng.random() < 0.7:
        held[rng.choice("xyz")] = value(rng)
    elif isinstance(held, Text) and rng.random() < 0.7:
        held.insert(0, characters(rng))
    elif rng.random() < 0.4:
        shared[key] = rng.choice([Map({"q": 1}), Text("hi"), Array([1])])
    else:
        shared[key] = value(rng)


def edit_xml(doc: AnyDoc, rng: random.Random) -> None:
    node: XmlFragment | XmlElement = doc.get("xml", type=XmlFragment)
    for _ in range(rng.randint(0, 2)):
        inner = [child for child in node.children if isinstance(child, XmlElement)]
        if inner:
            node = rng.choice(inner)
    texts = [child for child in node.children if isinstance(child, XmlText)]
    action = rng.randint(0, 5)
    if action == 0 and len(node.children):
        del node.children[rng.randrange(len(node.children))]
    elif action == 1 and isinstance(node, XmlElement):
        node.attributes[rng.choice("kl")] = characters(rng)
    elif action == 2 and texts:
        text = rng.choice(texts)
        added = characters(rng)
        text.insert(0, added)
        text.format(0, len(added.encode()), {"bold": rng.choice([{}, None])})
    elif action == 3:
        node.children.append(characters(rng))
    else:
        tag = rng.choice(["paragraph", "heading", "hardBreak"])
        node.children.insert(rng.randint(0, len(node.children)), XmlElement(tag))


EDITS = [edit_text, edit_embeds, edit_array, edit_map, edit_xml]


class Session:
    """Three editors after some edits. ``updates`` are all that they sent; ``states`` their documents, in full."""

    def __init__(self, seed: int, edits: int = 40) -> None:
        rng = random.Random(seed)
        small = rng.randint(1, 100)
        clients = [small, rng.getrandbits(32) | 1 << 28, rng.getrandbits(53) | 1 << 40]
        self.docs: list[AnyDoc] = [Doc(client_id=client) for client in clients]
        self.updates: list[bytes] = []
        subscriptions = [doc.observe(lambda event: self.updates.append(event.update)) for doc in self.docs]
        for _ in range(edits):
            doc = rng.choice(self.docs)
            with doc.transaction():
                rng.choice(EDITS)(doc, rng)
            if rng.random() < 0.3:
                other = rng.choice(self.docs)
                other.apply_update(doc.get_update(other.get_state()))
        for doc, subscription in zip(self.docs, subscriptions, strict=True):
            doc.unobserve(subscription)
        self.states = [doc.get_update() for doc in self.docs]
        self.whole = merge_updates(*self.states)
        samples = [rng.sample(self.updates, min(len(self.updates), 5)) for _ in range(3)]
        # With gaps, and with parts that the receiver has.
        self.merged = [merge_updates(*sample) for sample in samples if sample]
        self.merged.append(get_update(self.whole, self.docs[0].get_state()))

    @property
    def everything(self) -> list[bytes]:
        return [*self.updates, *self.merged, *self.states, self.whole]
