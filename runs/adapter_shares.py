"""Less of what an adapter learned: weaker, or between what it was and what it became.

    python runs/adapter_shares.py strength ADAPTER TARGET SHARE
    python runs/adapter_shares.py between BEFORE AFTER TARGET SHARE

Adapters are folders in PEFT's layout; TARGET is a new one.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from ostro.errors import OstroError
from ostro.runtime.files import whole_directory

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def with_strength(adapter: Path, target: Path, share: float) -> None:
    """``adapter`` with ``share`` of its alpha: its additions are scaled, its routers stay."""
    with whole_directory(target) as temporary:
        shutil.copytree(adapter, temporary, dirs_exist_ok=True)
        file = temporary / _CONFIG
        config = json.loads(file.read_text(encoding="utf-8"))
        config["lora_alpha"] = round(config["lora_alpha"] * share, 4)
        file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def between(before: Path, after: Path, target: Path, share: float) -> None:
    """What lies ``share`` of the way from an adapter to what a later stage made of it.

    A and B are both taken between, in float32 (as WiSE-FT does with all weights: Wortsman et al.,
    2022). The two must have the same parts and settings.
    """
    one, other = (load_file(folder / _WEIGHTS) for folder in (before, after))
    configs = [(folder / _CONFIG).read_text(encoding="utf-8") for folder in (before, after)]
    if configs[0] != configs[1] or one.keys() != other.keys():
        raise OstroError(f"{before} and {after} are not stages of one adapter")
    mixed = {
        name: tensor.float().lerp(other[name].float(), share).to(tensor.dtype)
        for name, tensor in one.items()
    }
    with whole_directory(target) as temporary:
        (temporary / _CONFIG).write_text(configs[0], encoding="utf-8")
        save_file(mixed, temporary / _WEIGHTS)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Less of what an adapter learned.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, folders in (("strength", ["adapter"]), ("between", ["before", "after"])):
        command = commands.add_parser(name)
        for folder in (*folders, "target"):
            command.add_argument(folder, type=Path)
        command.add_argument("share", type=float)
    arguments = vars(parser.parse_args())
    run = {"strength": with_strength, "between": between}[arguments.pop("command")]
    if not 0 < arguments["share"] <= 1:
        raise OstroError("SHARE must be above 0 and at most 1")
    run(**arguments)


if __name__ == "__main__":
    try:
        main()
    except OstroError as problem:
        sys.exit(f"adapter_shares: {problem}")
