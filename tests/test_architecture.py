"""The rules of the layout as code: who imports whom, and what may stand where."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("server", "handlers", "crdt", "storage", "connectors", "analysis")
MAY_IMPORT = {
    "crdt": {"crdt"},
    "storage": {"storage"},
    "connectors": {"connectors"},
    "analysis": {"analysis"},
    "handlers": {"handlers", "storage", "crdt", "connectors", "analysis"},
    "server": {"server", "handlers", "storage", "crdt", "connectors", "analysis"},
}
WEB_LIBRARIES = {"starlette", "uvicorn", "websockets", "httptools", "uvloop"}
DATABASE_LIBRARIES = {"sqlalchemy", "aiosqlite", "asyncpg", "alembic", "sqlite3", "redis"}
BANNED_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "core",
    "base",
    "managers",
    "manager",
    "services",
    "misc",
}
LONGEST_FILE = 500

# The catalogue puts the slices together: the only file that knows them all.
CATALOGUE = ROOT / "handlers" / "catalogue.py"


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported_modules(path: Path) -> Iterator[str]:
    """Every module a file imports, at its top or inside a function, for types or for use."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_downwards_only(package: str) -> None:
    wrong = [
        f"{shown(path)} imports {module}"
        for path in sources(package)
        for module in imported_modules(path)
        if module.partition(".")[0] in PACKAGES and module.partition(".")[0] not in MAY_IMPORT[package]
    ]
    assert wrong == []


def test_every_package_has_sources() -> None:
    """The other tests would pass on nothing."""
    assert all(len(list(sources(package))) > 3 for package in PACKAGES)


def test_only_the_server_knows_the_web_stack() -> None:
    wrong = [
        f"{shown(path)} imports {module}"
        for path in sources("handlers", "crdt", "storage", "connectors", "analysis")
        for module in imported_modules(path)
        if module.partition(".")[0] in WEB_LIBRARIES
    ]
    assert wrong == []


def test_crdt_is_synchronous_and_knows_no_database() -> None:
    banned = WEB_LIBRARIES | DATABASE_LIBRARIES | {"asyncio", "anyio", "threading"}
    wrong = [
        f"{shown(path)} imports {module}"
        for path in sources("crdt")
        for module in imported_modules(path)
        if module.partition(".")[0] in banned
    ]
    wrong += [
        f"{shown(path)}:{node.lineno} waits"
        for path in sources("crdt")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert wrong == []


def slice_of(module_or_path: tuple[str, ...]) -> str | None:
    """The slice a module of handlers belongs to: a folder of handlers, None for what all slices share."""
    return module_or_path[1] if len(module_or_path) > 2 and module_or_path[0] == "handlers" else None


def test_slices_never_import_each_other() -> None:
    folders = {path.name for path in (ROOT / "handlers").iterdir() if path.is_dir() and path.name != "__pycache__"}
    wrong = []
    for path in sources("handlers"):
        own = slice_of(path.relative_to(ROOT).parts)
        for module in imported_modules(path):
            other = [*module.split("."), ""][1]
            if module.startswith("handlers.") and other in folders and other != own and path != CATALOGUE:
                wrong.append(f"{shown(path)} imports {module}")
    assert wrong == []


def test_slices_of_one_file_never_import_each_other() -> None:
    slices = [path for path in sources("handlers") if path.parent.name == "handlers" and defines_operations(path)]
    names = {f"handlers.{path.stem}" for path in slices}
    wrong = [
        f"{shown(path)} imports {module}"
        for path in slices
        for module in imported_modules(path)
        if any(module == name or module.startswith(f"{name}.") for name in names - {f"handlers.{path.stem}"})
    ]
    assert wrong == []


def defines_operations(path: Path) -> bool:
    """Whether a file ends a slice: it has a tail `OPERATIONS = (...)`. The catalogue only joins tails."""
    assigned = {
        target.id
        for node in parse(path).body
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
        if isinstance(target, ast.Name)
    }
    return "OPERATIONS" in assigned and path != CATALOGUE


def test_every_tail_is_in_the_catalogue() -> None:
    imported = {module.removesuffix(".OPERATIONS") for module in imported_modules(CATALOGUE)}
    tails = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sources("handlers")
        if defines_operations(path)
    }
    assert tails - imported == set()


def environment_reads(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"):
            yield f"{shown(path)}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (f"{shown(path)}:{node.lineno}" for alias in node.names if alias.name in ("environ", "getenv"))


def test_only_the_settings_and_the_command_line_see_the_environment() -> None:
    """The command line hands `os.environ` to the settings; nobody else looks."""
    allowed = {ROOT / "server" / "settings.py", ROOT / "server" / "cli.py"}
    wrong = [read for path in sources(*PACKAGES) if path not in allowed for read in environment_reads(path)]
    assert wrong == []
    assert [read for path in sources("server") for read in environment_reads(path)] != []


def test_package_files_are_empty() -> None:
    full = [shown(path) for path in sources(*PACKAGES) if path.name == "__init__.py" and path.read_text()]
    assert full == []


def test_tests_are_no_packages() -> None:
    """An `__init__.py` in tests/server would shadow the server package."""
    assert [shown(path) for path in sources("tests") if path.name == "__init__.py"] == []


def test_no_drawer_for_everything() -> None:
    wrong = [
        shown(path)
        for path in sources(*PACKAGES, "tests", "benchmarks", "clients")
        if BANNED_NAMES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    ]
    assert wrong == []


def test_files_stay_readable() -> None:
    long = {
        shown(path): lines
        for path in sources(*PACKAGES, "tests", "clients", "benchmarks", "examples")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_nothing_runs_at_import() -> None:
    """No module makes an app, an engine or a client when it is imported."""
    makers = {"Starlette", "FastAPI", "create_app", "create_async_engine", "create_engine", "Redis", "Database"}
    wrong = [
        f"{shown(path)}:{node.lineno} makes {name}"
        for path in sources(*PACKAGES)
        for statement in parse(path).body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and (name := getattr(node.func, "id", getattr(node.func, "attr", ""))) in makers
    ]
    assert wrong == []


def test_the_standard_library_is_known() -> None:
    """Every import is of ours, of the standard library or of a declared dependency."""
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8").lower().replace("-", "_")
    wrong = [
        f"{shown(path)} imports {module}"
        for path in sources(*PACKAGES)
        for module in imported_modules(path)
        if (top := module.partition(".")[0]) not in sys.stdlib_module_names
        and top not in PACKAGES
        and top.lower() not in declared
    ]
    assert wrong == []
