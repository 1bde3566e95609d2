"""Wheels with next to nothing in them, to install from a folder without a network."""

import zipfile
from pathlib import Path


def write_wheel(folder: Path, requirement: str, files: dict[str, str] | None = None) -> Path:
    """A pure wheel of ``name==version``; without ``files`` it has one empty module of its name."""
    name, _, version = requirement.replace("-", "_").partition("==")
    record = f"{name}-{version}.dist-info"
    contents = {f"{name}.py": ""} if files is None else files
    contents = {
        **contents,
        f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    listed = "".join(f"{path},,\n" for path in [*contents, f"{record}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**contents, f"{record}/RECORD": listed}.items():
            archive.writestr(path, text)
    return wheel
