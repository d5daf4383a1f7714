"""Two people edit one document at the same time: `python two_writers.py [--server URL] TOKEN TOKEN`.

Each has a connection and a replica of their own, as two programs on two machines would. Both replicas end with the same
text, whatever order the edits arrived in, and the server knows who wrote what.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import collab_studio
from collab_studio import Document, Studio

DOCUMENT = "default/two-writers"
OUTLINE = "What it holds: <1>\nWhat was checked: <2>\n"
FIRST = "one row for each order that was paid"
SECOND = "the sums, against the invoices of last month"


async def main(server: str, tokens: Sequence[str]) -> None:
    async with (
        collab_studio.connect(server, token=tokens[0]) as first,
        collab_studio.connect(server, token=tokens[1]) as second,
    ):
        documents = [await studio.open(DOCUMENT, kind="text") for studio in (first, second)]
        documents[0].text().replace(OUTLINE)
        await converged(documents)
        await asyncio.gather(write(documents[0], "<1>", FIRST), write(documents[1], "<2>", SECOND))
        print(f"everything that {first.user} and {second.user} wrote is on the server's disk")
        await converged(documents)
        print(f"both replicas read:\n\n{documents[0].text()}")
        await print_authors(first)


async def write(document: Document, mark: str, text: str) -> None:
    """Type a text where the mark stands, a character at a time, while others move it about by what they type."""
    for character in text:
        document.text().insert(str(document.text()).index(mark), character)
        await asyncio.sleep(0.01)
    document.text().delete(str(document.text()).index(mark), len(mark))
    await document.stored()  # returns when the server has committed it all


async def converged(documents: Sequence[Document]) -> None:
    """Wait until every replica reads the same, looking again whenever one changes."""
    changed = asyncio.Event()
    subscriptions = [document.ydoc.observe(lambda _: changed.set()) for document in documents]
    async with asyncio.timeout(10):
        while len({str(document.text()) for document in documents}) > 1:
            changed.clear()
            await changed.wait()
    for document, subscription in zip(documents, subscriptions, strict=True):
        document.ydoc.unobserve(subscription)


async def print_authors(studio: Studio) -> None:
    """Who wrote which part, as the server kept it."""
    workspace, document = DOCUMENT.split("/")
    blame = await studio.call("collaboration.blame.get", workspace_id=workspace, document_id=document)
    for span in blame["spans"]:
        print(f"{span['author']:>8} wrote {span['text']!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Two people edit one document at the same time.")
    parser.add_argument("--server", default="http://127.0.0.1:8400", help="default: %(default)s")
    parser.add_argument("tokens", metavar="TOKEN", nargs=2, help="from collab-studio token --user ...")
    options = parser.parse_args()
    try:
        asyncio.run(main(options.server, options.tokens))
    except collab_studio.StudioError as error:
        sys.exit(f"two_writers.py: {error}")
