"""The command `collab-studio`: serve, token, check. A failure is one clear line on standard error and an exit code:
2 where the command was asked wrongly, 1 where the world did not let it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NoReturn

from handlers.access import ROLES
from server import grants, logs, run, startup
from server import setting_values as read
from server.settings import FIELDS, Reading, Settings, SettingsError, flag_of, read_settings, variable_of

PROGRAM = "collab-studio"
FAILED = 1
ASKED_WRONGLY = 2
INTERRUPTED = 130


class CommandError(Exception):
    """The command cannot be carried out as it was asked; the message is one line."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of a usage text with a line below it."""

    def error(self, message: str) -> NoReturn:
        self.exit(ASKED_WRONGLY, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    reading = read_settings({name: getattr(options, name) for name in FIELDS}, environ)
    try:
        return _run(options, reading)
    except SettingsError as error:
        return _fail(ASKED_WRONGLY, *error.problems)
    except CommandError as error:
        return _fail(ASKED_WRONGLY, str(error))
    except (startup.StartError, grants.GrantError) as error:
        return _fail(FAILED, str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would fail once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(FAILED, f"internal error: {what} (run with --log-level debug to see where)")


def build_parser() -> Parser:
    parser = Parser(prog=PROGRAM, description="The real-time server behind a Collaboration Studio.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    settings = _settings_parser()
    for name, what in (("serve", "start the server"), ("check", "print the effective settings and every problem")):
        commands.add_parser(name, help=what, description=what, parents=[settings], allow_abbrev=False)
    what = "print a sign-in token for a user, who is made if need be"
    token = commands.add_parser("token", help=what, description=what, parents=[settings], allow_abbrev=False)
    token.add_argument("--user", required=True, metavar="NAME", help="the user's name")
    token.add_argument("--workspace", metavar="NAME", help="also make the user a member of this workspace ...")
    token.add_argument("--role", choices=[str(role) for role in ROLES], help="... in this role")
    token.add_argument("--expires", metavar="TIME", help="how long the token holds, such as 1h or 30d")
    return parser


def _settings_parser() -> argparse.ArgumentParser:
    """A flag for each setting. They stay text here: settings are read, and all their problems found, in one place."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group = parser.add_argument_group("settings (each also as a variable STUDIO_...)")
    for name, field in FIELDS.items():
        is_switch = field.default is False
        shown = field.metadata["help"].replace("%", "%%")
        group.add_argument(
            flag_of(name),
            dest=name,
            nargs="?" if is_switch else None,
            const="true" if is_switch else None,
            metavar="VALUE",
            help=f"{shown} [{variable_of(name)}]",
        )
    return parser


def _run(options: argparse.Namespace, reading: Reading) -> int:
    match options.command:
        case "check":
            return _check(reading)
        case "token":
            return _token(options, reading.require())
        case _:
            return run.serve(reading.require())


def _token(options: argparse.Namespace, settings: Settings) -> int:
    logs.configure("warning" if settings.log_level == "info" else settings.log_level, as_json=settings.log_json)
    if (options.workspace is None) != (options.role is None):
        raise CommandError("token: give --workspace and --role together, or neither")
    grant = grants.Grant(options.user, options.workspace, options.role, _lifetime(options.expires, settings))
    print(asyncio.run(grants.issue_token(settings, grant)))
    return 0


def _lifetime(expires: str | None, settings: Settings) -> timedelta:
    if expires is None:
        return timedelta(seconds=settings.token_lifetime)
    try:
        seconds = read.duration(expires)
    except read.BadValueError as error:
        raise CommandError(f"--expires: {error}") from None
    if seconds > settings.max_token_lifetime:
        longest = settings.shown("max_token_lifetime")
        raise CommandError(f"--expires: {expires!r} is longer than max_token_lifetime ({longest}); use an API key")
    return timedelta(seconds=seconds)


def _check(reading: Reading) -> int:
    logs.configure("warning", as_json=False)
    width = max(map(len, FIELDS))
    for name in FIELDS:
        print(f"{name:{width}} = {reading.settings.shown(name)}  ({reading.sources[name]})")
    problems = [*reading.problems, *asyncio.run(startup.find_problems(reading.settings))]
    print()
    for problem in problems:
        print(f"problem: {problem}")
    print(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}" if problems else "no problems")
    return FAILED if problems else 0


def _fail(code: int, *messages: str) -> int:
    for message in messages:
        print(f"{PROGRAM}: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
