"""`*` as the columns it stands for, and columns that USING makes one of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlglot import exp

from analysis.lineage.edges import IDENTITY, Origins, Problem, merge
from analysis.lineage.parsing import written
from analysis.lineage.relations import Frame, OutputColumn, Relation, column_of

Note = Callable[[Problem], None]


def expand_star(
    item: exp.Expr, frame: Frame, note: Note, origins: Callable[[exp.Expr], Origins]
) -> list[OutputColumn] | None:
    """The columns of `*` or `alias.*`; None, and a note, where a table's columns are not known."""
    star = item.this if isinstance(item, exp.Column) else item
    if isinstance(item, exp.Column):
        relation = frame.relation(item.table)
        if relation is None:
            note(Problem("unknown_table", f"There is no table or alias {item.table!r} for its `*`.", item.table))
            return None
        columns = _columns(relation, note)
    else:
        columns = _all_columns(frame, note)
    return None if columns is None else _changed(columns, star, origins)


def _columns(relation: Relation, note: Note) -> list[OutputColumn] | None:
    if relation.output.columns is None:
        note(
            relation.cause
            or Problem(
                "unknown_columns",
                f"The columns of {relation.alias!r} are not known, so its `*` cannot be followed.",
                relation.alias,
            )
        )
        return None
    return [OutputColumn(each.key, each.name, each.origins) for each in relation.output.columns]


def _all_columns(frame: Frame, note: Note) -> list[OutputColumn] | None:
    """The shared columns once and first, as the standard has it, then the others in their order."""
    result = [OutputColumn(each.key, each.name, each.origins) for each in frame.shared.values()]
    for relation in frame.relations:
        if relation.is_hidden:
            continue
        columns = _columns(relation, note)
        if columns is None:
            return None
        result += [each for each in columns if each.key not in relation.merged]
    return result


def _changed(columns: list[OutputColumn], star: exp.Expr, origins: Callable[[exp.Expr], Origins]) -> list[OutputColumn]:
    """What EXCEPT, REPLACE and RENAME behind the star leave of the columns."""
    without = {each.name for each in star.args.get("except_") or ()}
    replaced = {each.alias: each for each in star.args.get("replace") or ()}
    renamed = {each.this.name: each.args["alias"] for each in star.args.get("rename") or ()}
    kept = [column for column in columns if column.key not in without]
    for column in kept:
        if column.key in replaced:
            column.origins = origins(replaced[column.key])
        if column.key in renamed:
            alias = renamed[column.key]
            column.key, column.name = alias.name, written(alias)
    return kept


def shared_names(
    frame: Frame, before: Sequence[Relation], added: Sequence[Relation], names: Sequence[tuple[str, str]], note: Note
) -> Iterator[tuple[str, Origins]]:
    """Makes one column of those that USING names; each with its origins on both sides."""
    for key, name in names:
        origins: Origins = {}
        for side in (_left(frame, before, key, name), _one(added, key, name)):
            if isinstance(side, Problem):
                note(side)
            else:
                merge(origins, side.origins, IDENTITY)
        for relation in (*before, *added):
            relation.merged.add(key)
        frame.shared[key] = OutputColumn(key, name, origins)
        yield key, origins


def _left(frame: Frame, before: Sequence[Relation], key: str, name: str) -> OutputColumn | Problem:
    return frame.shared[key] if key in frame.shared else _one(before, key, name)


def _one(relations: Sequence[Relation], key: str, name: str) -> OutputColumn | Problem:
    """The column of this name in one of the relations."""
    for relation in relations:
        if (found := relation.find(key)) is not None:
            return found
    unknown = [relation for relation in relations if not relation.is_known]
    if len(unknown) == 1:
        return column_of(unknown[0], key, name)
    return Problem("unknown_column", f"USING names {name!r}, which no table on that side is known to have.", name)
