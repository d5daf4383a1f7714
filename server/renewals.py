"""Credentials that end while a document is open: a new one is asked for in time; without one the document is left."""

from datetime import datetime, timedelta

from server.attachment import Attachment

# A client may have to ask its identity provider, and the person at it. Much earlier would renew more often than needed.
ASK_BEFORE = timedelta(seconds=30)


class Renewals:
    """Knows what is due for each attachment whose credential ends: to be asked, or, once asked, to leave."""

    def __init__(self) -> None:
        self._due: dict[Attachment, datetime] = {}

    def begin(self, attachment: Attachment, now: datetime) -> None:
        """A document was opened."""
        ends = attachment.principal.expires_at
        if ends is not None:
            # A credential that holds for less than a minute leaves its client half of that.
            self._due[attachment] = ends - min(ASK_BEFORE, (ends - now) / 2)

    def renew(self, attachment: Attachment, before: datetime | None, now: datetime) -> None:
        """Its client has shown a credential, in place of one that held until `before`."""
        ends = attachment.principal.expires_at
        self._due.pop(attachment, None)
        if ends is not None and before is not None and ends <= before:
            # It has no later one, so there is no point in asking again.
            self._due[attachment] = ends
        else:
            self.begin(attachment, now)

    def end(self, attachment: Attachment) -> None:
        """The document was left."""
        self._due.pop(attachment, None)

    def look(self, now: datetime) -> None:
        """Do what is due. Called each second."""
        for attachment in [attachment for attachment, due in self._due.items() if due <= now]:
            ends = attachment.principal.expires_at
            if ends is None or ends <= now:
                attachment.unauthorised("the token has expired; connect again with a new one")
            else:
                self._due[attachment] = ends
                attachment.ask_for_token()
