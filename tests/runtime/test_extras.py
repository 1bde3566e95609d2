"""Packages that may be missing."""

import sys
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.runtime.extras import require_extra


def test_a_package_that_is_there_is_imported() -> None:
    assert require_extra("json.decoder", "serve") is sys.modules["json.decoder"]


def test_a_missing_package_names_itself_and_two_ways_to_install_it() -> None:
    with pytest.raises(OstroError) as caught:
        require_extra("no_such_package.part", "serve")
    for words in ("no_such_package,", "`make serve-deps`", "pip install 'ostro[serve]'"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_that_lacks_something_itself_keeps_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lame_package.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        require_extra("lame_package", "serve")
