"""Profiles of columns in which values were longer than a reader takes in: it looks at their beginnings."""

from __future__ import annotations

import msgspec

from analysis.profile.figures import ColumnProfile

# As the profile calls documents that it does not look into.
_LARGE, _INVALID = "large", "invalid"


def told_as_cut(profile: ColumnProfile, cut: int, limit: int) -> ColumnProfile:
    """The profile with a note that `cut` of its values were longer than `limit` characters.

    The beginning of a document is no document: the profile counted it as invalid, which the whole one need not be.
    """
    if not cut:
        return profile
    note = f"{cut} values are longer than {limit} characters; only their beginnings were looked at"
    documents = profile.documents
    if documents is not None and (invalid := documents.types.get(_INVALID, 0)):
        large = min(cut, invalid)
        types = {**documents.types, _LARGE: documents.types.get(_LARGE, 0) + large, _INVALID: invalid - large}
        documents = msgspec.structs.replace(
            documents, types={name: types[name] for name in sorted(types) if types[name]}
        )
    return msgspec.structs.replace(profile, documents=documents, notes=[*profile.notes, note])
