"""Datasets."""

from gentex.cards import Card

DATASETS = [
    Card(
        "photo-textures",
        "gentex.data.photos:photo_textures",
        "Patches of the photographs inside the scikit-image wheel; no ranking on it is citable",
        kind="dataset",
        fingerprint="gentex.data.fingerprints:photo_textures",
        license="BSD-3-Clause",
        tags=("texture", "photo", "classes", "offline"),
    ),
    Card(
        "digits",
        "gentex.data.digits:digits",
        "Handwritten digits, 8×8, inside the scikit-learn wheel",
        kind="dataset",
        fingerprint="gentex.data.fingerprints:digits",
        license="CC-BY-4.0",
        tags=("classes", "offline"),
    ),
    Card(
        "folder",
        "gentex.data.folder:folder",
        "Any folder of images; classes by sub-folder",
        kind="dataset",
        argument="PATH",
        fingerprint="gentex.data.fingerprints:folder",
        tags=("files",),
    ),
    Card(
        "torchvision",
        "gentex.data.vision:torchvision",
        "A data set of torchvision, below --data or GENTEX_DATA",
        kind="dataset",
        argument="NAME",
        fingerprint="gentex.data.fingerprints:torchvision",
        tags=("classes", "files"),
    ),
    Card(
        "mosaic",
        "gentex.data.mosaic:mosaic",
        "Sheets of many small images, with labels",
        kind="dataset",
        argument="PATH",
        fingerprint="gentex.data.fingerprints:mosaic",
        tags=("files",),
    ),
]
