"""Write the size, the hash and the score of the bundled weight files into the package's manifest.

    python bench/refresh_manifest.py

To be run after a bundled file has changed. Licence and what each was trained on stay as they are written there:
look whether they are still true.
"""

from pathlib import Path

import artrestore
from artrestore.io.digests import FileMark
from artrestore.models.loading import BUNDLED_FOLDER, check_weights
from artrestore.models.registry import BUNDLED_WEIGHTS
from artrestore.weights.entries import entry_of, own_manifest, write_into_manifest

MANIFEST = Path(artrestore.__file__).parent / "weights/manifest.toml"

if __name__ == "__main__":
    before = {entry.name: entry for entry in own_manifest()}
    for name in BUNDLED_WEIGHTS:
        path, old = BUNDLED_FOLDER / f"{name}.safetensors", before.get(name)
        known = {"licence": old.licence, "trained_on": old.trained_on} if old else {"licence": "Apache-2.0"}
        write_into_manifest(MANIFEST, entry_of(check_weights(path), FileMark.of(path), name, **known))
        print(f"{name}: {'unchanged' if old in own_manifest() else 'refreshed'} in {MANIFEST}")
