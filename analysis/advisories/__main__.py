"""`python -m analysis.advisories`: makes keys and signed bundles, without a network.

    keygen                                  a private key on standard output, its public half on standard error
    build --key FILE --base FILE --version N --dated DAY [OSV or CSAF files ...]

A bundle begins as the payload or the signed file of `--base` (ends of life, newest releases, advisories); records of
the files take the place of those with the same id. The signed file is written to standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec

from analysis.advisories import bundles, signing
from analysis.advisories.building import SourceError, read_source
from analysis.advisories.bundles import BundleError
from analysis.advisories.records import Bundle


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _keygen() if options.action == "keygen" else _build(options)
    except (OSError, SourceError, BundleError, ValueError) as error:
        sys.stderr.write(f"advisories: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.advisories", description="Keys and bundles of advisories."
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("keygen", help="print a new private key, and its public half on standard error")
    build = actions.add_parser("build", help="print a signed bundle out of OSV and CSAF files")
    build.add_argument("--key", type=Path, required=True, help="the file with the private key")
    build.add_argument("--base", type=Path, help="the bundle to begin with (default: the one of this release)")
    build.add_argument("--version", type=int, required=True, help="higher than that of the bundle it is to replace")
    build.add_argument("--dated", type=date.fromisoformat, required=True, help="the day up to which sources were read")
    build.add_argument("files", type=Path, nargs="*", help="OSV records and CSAF 2.0 documents")
    return parser


def _keygen() -> int:
    private, public = signing.new_key()
    sys.stdout.write(f"{private}\n")
    sys.stderr.write(f"public half, for STUDIO_ADVISORY_KEYS: {public}\n")
    return 0


def _build(options: argparse.Namespace) -> int:
    base = _base(options.base.read_bytes() if options.base else bundles.shipped_file())
    records = {one.id: one for one in base.advisories}
    for file in options.files:
        records.update({one.id: one for one in read_source(str(file), file.read_bytes())})
    made = msgspec.structs.replace(
        base, version=options.version, dated=options.dated, advisories=sorted(records.values(), key=lambda one: one.id)
    )
    payload = msgspec.json.encode(made)
    # What is signed is what every server will take.
    bundles.decode(payload)
    sys.stdout.buffer.write(signing.sign(payload, signing.read_key(options.key.read_text(encoding="ascii"))))
    sys.stderr.write(f"{len(made.advisories)} advisories\n")
    return 0


def _base(content: bytes) -> Bundle:
    """Of a signed file the payload counts here, whoever signed it: whoever builds answers for it with their own key."""
    with contextlib.suppress(msgspec.DecodeError):
        content = bytes(msgspec.json.decode(content, type=signing.Signed).payload)
    return bundles.decode(content)


if __name__ == "__main__":
    sys.exit(main())
