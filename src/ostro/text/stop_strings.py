"""Stop strings: found across pieces of text, and never shown."""

from collections.abc import Sequence

from ostro.errors import OstroError


class StopStrings:
    """Passes text on up to where the first stop string begins.

    What may yet become a stop string is held back. All output together is the whole text, cut at
    the earliest stop string, however the text was cut into pieces.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise OstroError("a stop string must not be empty")
        self._stops = tuple(stops)
        self._held = ""
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether a stop string has been found; nothing more comes out."""
        return self._stopped

    def feed(self, text: str) -> str:
        """Add text, get what can be shown."""
        if self._stopped:
            return ""
        self._held += text
        found, open_from = self._found(), self._open_from()
        # A longer stop string may have begun earlier than the one that is complete.
        if found <= open_from and found < len(self._held):
            return self._stop(found)
        shown, self._held = self._held[:open_from], self._held[open_from:]
        return shown

    def flush(self) -> str:
        """The text has ended: what was held back, unless it holds a stop string."""
        found = self._found()
        if found < len(self._held):
            return self._stop(found)
        shown, self._held = self._held, ""
        return shown

    def _stop(self, at: int) -> str:
        shown, self._held, self._stopped = self._held[:at], "", True
        return shown

    def _found(self) -> int:
        """Where the earliest complete stop string begins, or the length of the text."""
        places = (self._held.find(stop) for stop in self._stops)
        return min((place for place in places if place >= 0), default=len(self._held))

    def _open_from(self) -> int:
        """Where the longest end of the text begins that a stop string begins with."""
        text = self._held
        longest = max(map(len, self._stops), default=1)
        for start in range(max(0, len(text) - longest + 1), len(text)):
            tail = text[start:]
            if any(len(stop) > len(tail) and stop.startswith(tail) for stop in self._stops):
                return start
        return len(text)
