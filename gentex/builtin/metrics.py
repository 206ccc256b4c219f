"""Metrics of generated images, each with its source.

The tag says what a metric is given: `features`, real and fake; `images`, likewise; `training`,
features of training, test and fake images; `logits`, those of the fake images; `likelihood`, what a
model states itself, which the task asks it for.
"""

from typing import Literal

from gentex.cards import Card, Paper

ICLR = "International Conference on Learning Representations (ICLR)"
NEURIPS = "Advances in Neural Information Processing Systems {} (NeurIPS)"
CVPR = "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)"

HEUSEL = Paper(
    "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    (
        "Heusel, Martin",
        "Ramsauer, Hubert",
        "Unterthiner, Thomas",
        "Nessler, Bernhard",
        "Hochreiter, Sepp",
    ),
    2017,
    NEURIPS.format(30),
    "heusel2017gans",
    arxiv="1706.08500",
)
CHONG = Paper(
    "Effectively Unbiased FID and Inception Score and Where to Find Them",
    ("Chong, Min Jin", "Forsyth, David"),
    2020,
    CVPR,
    "chong2020effectively",
    arxiv="1911.07023",
)
BINKOWSKI = Paper(
    "Demystifying MMD GANs",
    ("Bińkowski, Mikołaj", "Sutherland, Danica J.", "Arbel, Michael", "Gretton, Arthur"),
    2018,
    ICLR,
    "binkowski2018demystifying",
    arxiv="1801.01401",
)
KYNKAANNIEMI = Paper(
    "Improved Precision and Recall Metric for Assessing Generative Models",
    (
        "Kynkäänniemi, Tuomas",
        "Karras, Tero",
        "Laine, Samuli",
        "Lehtinen, Jaakko",
        "Aila, Timo",
    ),
    2019,
    NEURIPS.format(32),
    "kynkaanniemi2019improved",
    arxiv="1904.06991",
)
NAEEM = Paper(
    "Reliable Fidelity and Diversity Metrics for Generative Models",
    (
        "Naeem, Muhammad Ferjad",
        "Oh, Seong Joon",
        "Uh, Youngjung",
        "Choi, Yunjey",
        "Yoo, Jaejun",
    ),
    2020,
    "International Conference on Machine Learning (ICML)",
    "naeem2020reliable",
    arxiv="2002.09797",
)
KARRAS = Paper(
    "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
    ("Karras, Tero", "Aila, Timo", "Laine, Samuli", "Lehtinen, Jaakko"),
    2018,
    ICLR,
    "karras2018progressive",
    arxiv="1710.10196",
)
ZHANG = Paper(
    "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
    ("Zhang, Richard", "Isola, Phillip", "Efros, Alexei A.", "Shechtman, Eli", "Wang, Oliver"),
    2018,
    CVPR,
    "zhang2018unreasonable",
    arxiv="1801.03924",
)
MEEHAN = Paper(
    "A Non-Parametric Test to Detect Data-Copying in Generative Models",
    ("Meehan, Casey", "Chaudhuri, Kamalika", "Dasgupta, Sanjoy"),
    2020,
    "International Conference on Artificial Intelligence and Statistics (AISTATS)",
    "meehan2020non",
    arxiv="2004.05675",
)
SALIMANS = Paper(
    "Improved Techniques for Training GANs",
    (
        "Salimans, Tim",
        "Goodfellow, Ian",
        "Zaremba, Wojciech",
        "Cheung, Vicki",
        "Radford, Alec",
        "Chen, Xi",
    ),
    2016,
    NEURIPS.format(29),
    "salimans2016improved",
    arxiv="1606.03498",
)
THEIS = Paper(
    "A Note on the Evaluation of Generative Models",
    ("Theis, Lucas", "van den Oord, Aäron", "Bethge, Matthias"),
    2016,
    ICLR,
    "theis2016note",
    arxiv="1511.01844",
)


def _metric(
    name: str,
    target: str,
    summary: str,
    direction: Literal["", "lower", "higher"],
    paper: Paper,
    given: str = "features",
    unit: str = "",
) -> Card:
    return Card(
        name,
        f"gentex.metrics.{target}",
        summary,
        kind="metric",
        direction=direction,
        unit=unit,
        paper=paper,
        tags=("generation", given),
    )


NEIGHBOURS = "neighbours:precision_recall_density_coverage"
COPYING = "memorisation:memorisation"

METRICS = [
    _metric(
        "fd",
        "frechet:frechet_distance",
        "Fréchet distance between Gaussians fitted to features",
        "lower",
        HEUSEL,
    ),
    _metric(
        "fd-infinity",
        "frechet:frechet_distance_infinity",
        "Fréchet distance extrapolated to infinitely many samples",
        "lower",
        CHONG,
    ),
    _metric(
        "kid",
        "kernel:kernel_distance",
        "Kernel distance: unbiased squared MMD with a cubic kernel",
        "lower",
        BINKOWSKI,
    ),
    _metric(
        "precision",
        NEIGHBOURS,
        "Share of the samples that lie near a real image",
        "higher",
        KYNKAANNIEMI,
    ),
    _metric(
        "recall",
        NEIGHBOURS,
        "Share of the real images that lie near a sample",
        "higher",
        KYNKAANNIEMI,
    ),
    _metric(
        "density",
        NEIGHBOURS,
        "How many real neighbourhoods hold a sample, on average",
        "higher",
        NAEEM,
    ),
    _metric(
        "coverage",
        NEIGHBOURS,
        "Share of the real neighbourhoods that hold a sample",
        "higher",
        NAEEM,
    ),
    _metric(
        "swd",
        "wasserstein:sliced_wasserstein",
        "Sliced Wasserstein distance between patches of Laplacian pyramids",
        "lower",
        KARRAS,
        "images",
    ),
    _metric(
        "inception-score",
        "inception_score:inception_score",
        "Inception score, in spaces whose network is a classifier",
        "higher",
        SALIMANS,
        "logits",
    ),
    _metric(
        "diversity",
        "diversity:diversity",
        "Mean squared distance within the samples, over that within real images",
        "",
        ZHANG,
    ),
    _metric(
        "copying",
        COPYING,
        "Chance that a sample lies nearer to the training images than a test image does",
        "",
        MEEHAN,
        "training",
    ),
    _metric(
        "near-copies",
        COPYING,
        "Share of the samples nearer to a training image than all but 1 % of test images",
        "",
        MEEHAN,
        "training",
    ),
    _metric(
        "bits-per-dim",
        "likelihood:bits_per_dimension",
        "Bound on the negative log-likelihood of the test images, of models that state one",
        "lower",
        THEIS,
        "likelihood",
        "bit",
    ),
]
