"""``python -m archsearch.crd FOLDER...``: writes the CustomResourceDefinitions into each folder."""

import sys
from pathlib import Path

from archsearch.crd.definitions import texts


def main(folders: list[str]) -> int:
    """Write every definition into every one of ``folders``; 2 where none is given."""
    if not folders:
        print("usage: python -m archsearch.crd FOLDER...", file=sys.stderr)
        return 2
    for folder in map(Path, folders):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts().items():
            (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
