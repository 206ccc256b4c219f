"""Metrics of separated layers against true ones, each with its source."""

from typing import Literal

from gentex.cards import Card, Paper

WANG = Paper(
    "Image Quality Assessment: From Error Visibility to Structural Similarity",
    ("Wang, Zhou", "Bovik, Alan C.", "Sheikh, Hamid R.", "Simoncelli, Eero P."),
    2004,
    "IEEE Transactions on Image Processing",
    "wang2004image",
    doi="10.1109/TIP.2003.819861",
    entry="article",
)
MARTIN = Paper(
    "Learning to Detect Natural Image Boundaries Using Local Brightness, Color, and Texture Cues",
    ("Martin, David R.", "Fowlkes, Charless C.", "Malik, Jitendra"),
    2004,
    "IEEE Transactions on Pattern Analysis and Machine Intelligence",
    "martin2004learning",
    doi="10.1109/TPAMI.2004.1273918",
    entry="article",
)
GROSSE = Paper(
    "Ground Truth Dataset and Baseline Evaluations for Intrinsic Image Algorithms",
    ("Grosse, Roger", "Johnson, Micah K.", "Adelson, Edward H.", "Freeman, William T."),
    2009,
    "IEEE International Conference on Computer Vision (ICCV)",
    "grosse2009ground",
    doi="10.1109/ICCV.2009.5459428",
)
VINCENT = Paper(
    "Performance Measurement in Blind Audio Source Separation",
    ("Vincent, Emmanuel", "Gribonval, Rémi", "Févotte, Cédric"),
    2006,
    "IEEE Transactions on Audio, Speech, and Language Processing",
    "vincent2006performance",
    doi="10.1109/TSA.2005.858005",
    entry="article",
)
AUJOL = Paper(
    "Structure-Texture Image Decomposition: Modeling, Algorithms, and Parameter Selection",
    ("Aujol, Jean-François", "Gilboa, Guy", "Chan, Tony", "Osher, Stanley"),
    2006,
    "International Journal of Computer Vision",
    "aujol2006structure",
    doi="10.1007/s11263-006-4331-z",
    entry="article",
)


def _metric(
    name: str,
    summary: str,
    direction: Literal["", "lower", "higher"],
    paper: Paper | None = None,
    unit: str = "",
) -> Card:
    return Card(
        name,
        f"gentex.metrics.layers:{name.replace('-', '_')}",
        summary,
        kind="metric",
        direction=direction,
        unit=unit,
        paper=paper,
        tags=("separation", "layers"),
    )


LAYER_METRICS = [
    _metric(
        "structure-psnr",
        "Peak signal-to-noise ratio of the structure, range 1",
        "higher",
        unit="dB",
    ),
    _metric("structure-ssim", "Structural similarity of the structure, range 1", "higher", WANG),
    _metric(
        "edge-fscore", "F-score of the structure's edge map, within one pixel", "higher", MARTIN
    ),
    _metric("error-at-edges", "RMS error of the structure within 2 px of true edges", "lower"),
    _metric("error-inside", "RMS error of the structure away from true edges", "lower"),
    _metric(
        "texture-simse", "Scale-invariant squared error of the texture, per energy", "lower", GROSSE
    ),
    _metric("texture-leakage", "Share of the texture's energy in the structure", "lower", VINCENT),
    _metric(
        "structure-leakage", "Share of the structure's energy in the texture", "lower", VINCENT
    ),
    _metric(
        "layer-correlation", "Correlation of the layers; doing nothing has a perfect 0", "", AUJOL
    ),
]
