"""Who holds which page of the KV cache."""

from collections.abc import Iterable

from ostro.model import PAGE_SLOTS


class PagePool:
    """Pages 0 to ``size - 1``, each free or held by one or several: sequences, the prefix tree."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._holders = [0] * size
        self._free = list(range(size - 1, -1, -1))

    @property
    def num_free(self) -> int:
        """How many pages nobody holds."""
        return len(self._free)

    def take(self) -> int:
        """A free page, now held once. There must be one."""
        page = self._free.pop()
        self._holders[page] = 1
        return page

    def hold(self, page: int) -> None:
        """One more holder of a page that is held already."""
        assert self._holders[page] > 0
        self._holders[page] += 1

    def release(self, pages: Iterable[int]) -> None:
        """One holder less of each page; those without any are free."""
        for page in pages:
            assert self._holders[page] > 0
            self._holders[page] -= 1
            if not self._holders[page]:
                self._free.append(page)

    def holders(self, page: int) -> int:
        """How many hold a page."""
        return self._holders[page]


def pages_for(tokens: int) -> int:
    """How many pages hold so many tokens."""
    return -(-tokens // PAGE_SLOTS)
