"""The command `collab-studio`: serve, token, demo, check, advisories, audit. A failure is one clear line on standard
error and an exit code: 2 where the command was asked wrongly, 1 where the world did not let it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

from handlers.access import ROLES
from server import audit_commands, grants, logs, startup, tracing
from server import setting_values as read
from server.settings import FIELDS, Reading, Settings, SettingsError, flag_of, read_settings, variable_of

PROGRAM = "collab-studio"
FAILED = 1
ASKED_WRONGLY = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of a usage text with a line below it."""

    def error(self, message: str) -> NoReturn:
        self.exit(ASKED_WRONGLY, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        sys.stdout.flush()
        super().exit(status, message)


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command and return its exit code."""
    try:
        return _run_and_print(arguments, environ)
    except SettingsError as error:
        return _fail(ASKED_WRONGLY, *error.problems)
    except (startup.StartError, grants.GrantError, audit_commands.AuditError) as error:
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


def _run_and_print(arguments: Sequence[str] | None, environ: Mapping[str, str]) -> int:
    options = build_parser().parse_args(arguments)
    code = _run(options, read_settings({name: getattr(options, name) for name in FIELDS}, environ))
    # What is printed for another program waits for this.
    sys.stdout.flush()
    return code


def build_parser() -> Parser:
    parser = Parser(prog=PROGRAM, description="The real-time server behind a Collaboration Studio.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    settings = _settings_parser()
    for name, what in (
        ("serve", "start the server"),
        ("check", "print the effective settings and every problem"),
        ("demo", "make a workspace with small real data sources to try everything on"),
    ):
        commands.add_parser(name, help=what, description=what, parents=[settings], allow_abbrev=False)
    what = "print a sign-in token for a user, who is made if need be"
    token = commands.add_parser("token", help=what, description=what, parents=[settings], allow_abbrev=False)
    token.add_argument("--user", required=True, metavar="NAME", help="the user's name")
    token.add_argument("--workspace", metavar="NAME", help="also make the user a member of this workspace ...")
    token.add_argument("--role", choices=[str(role) for role in ROLES], help="... in this role")
    token.add_argument("--expires", metavar="TIME", help="how long the token holds, such as 1h or 30d")
    _add_advisories(commands, settings)
    audit_commands.add_to(commands, settings)
    return parser


def _add_advisories(commands: argparse._SubParsersAction[Parser], settings: Parser) -> None:
    what = "the security advisories that audits go by"
    advisories = commands.add_parser("advisories", help=what, description=what, allow_abbrev=False)
    actions = advisories.add_subparsers(dest="action", required=True, metavar="action")
    for name, what in (
        ("show", "print which advisories count, and how old they are"),
        ("verify", "look at a signed file without importing it"),
        ("import", "import a newer signed file, also beside a running server"),
    ):
        action = actions.add_parser(name, help=what, description=what, parents=[settings], allow_abbrev=False)
        if name != "show":
            action.add_argument("file", metavar="FILE", type=Path, help="the signed file")


def _settings_parser() -> Parser:
    """A flag for each setting. They stay text here: settings are read, and all their problems found, in one place."""
    parser = Parser(add_help=False, allow_abbrev=False)
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
            return _token(options, reading)
        case "demo":
            return _demo(reading.require())
        case "audit":
            if (line := audit_commands.run(options, reading.require())) is not None:
                print(line)
            return 0
        case "advisories":
            return _advisories(options, reading.require())
        case _:
            settings = reading.require()
            # The server's parts take a second to import, which the other commands need not wait for.
            from server import run  # noqa: PLC0415

            startup.calm_arithmetic(os.environ)
            return run.serve(settings, lambda text: print(text, flush=True))


def _token(options: argparse.Namespace, reading: Reading) -> int:
    settings = reading.settings
    logs.configure("debug" if settings.log_level == "debug" else "warning", as_json=settings.log_json)
    problems = [*reading.problems]
    if (options.workspace is None) != (options.role is None):
        problems.append("--workspace and --role: give both or neither")
    lifetime = timedelta(seconds=settings.token_lifetime)
    try:
        lifetime = _lifetime(options.expires, lifetime, settings)
    except read.BadValueError as error:
        problems.append(f"--expires: {error}")
    if problems:
        raise SettingsError(tuple(problems))
    file = startup.sqlite_file(settings.database_url)
    if file is not None and not file.exists():
        # Most often that is a first step. Otherwise the operator meant another folder.
        print(f"{PROGRAM}: there was no database yet; making {file}", file=sys.stderr)
    grant = grants.Grant(options.user, options.workspace, options.role, lifetime)
    print(asyncio.run(grants.issue_token(settings, grant, lambda: datetime.now(UTC))))
    return 0


def _demo(settings: Settings) -> int:
    logs.configure("debug" if settings.log_level == "debug" else "warning", as_json=settings.log_json)
    # As in `serve`: imported only where it is needed.
    from server import demo  # noqa: PLC0415

    for line in asyncio.run(demo.make_demo(settings, lambda: datetime.now(UTC))):
        print(line)
    return 0


def _advisories(options: argparse.Namespace, settings: Settings) -> int:
    logs.configure("debug" if settings.log_level == "debug" else "warning", as_json=settings.log_json)
    # As in `serve`: imported only where it is needed.
    from server import advisories  # noqa: PLC0415

    def now() -> datetime:
        return datetime.now(UTC)

    try:
        match options.action:
            case "show":
                lines = asyncio.run(advisories.show(settings, now))
            case "verify":
                lines = advisories.verify(settings, options.file, now)
            case _:
                lines = asyncio.run(advisories.import_file(settings, options.file, now))
    except advisories.AdvisoriesError as error:
        return _fail(FAILED, str(error))
    for line in lines:
        print(line)
    return 0


def _lifetime(text: str | None, default: timedelta, settings: Settings) -> timedelta:
    if text is None:
        return default
    lifetime = timedelta(seconds=read.duration(text))
    if lifetime.total_seconds() > settings.max_token_lifetime:
        raise read.BadValueError(
            f"{text!r} is longer than max_token_lifetime, {settings.shown('max_token_lifetime')}; use an API key"
        )
    return lifetime


def _check(reading: Reading) -> int:
    logs.configure("warning", as_json=False)
    width = max(map(len, FIELDS))
    for name in FIELDS:
        print(f"{name:{width}} = {reading.settings.shown(name)}  ({reading.sources[name]})")
    # As in `serve`: imported only where it is needed.
    from server import metrics_port  # noqa: PLC0415
    from server.openid import checking  # noqa: PLC0415

    settings = reading.settings
    problems = [*reading.problems, *asyncio.run(startup.find_problems(settings))]
    problems += [*metrics_port.find_problems(settings), *tracing.find_problems(settings)]
    problems += asyncio.run(checking.find_problems(settings))
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
