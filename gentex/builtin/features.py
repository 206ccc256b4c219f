"""Feature spaces: where images become the vectors that distribution metrics compare.

Those that rest on weights have a fingerprint, the sha256 of the file. So a comparison in one of
them ends before anything is trained where the file is missing, and is made anew where it changed.
"""

from gentex.builtin.metrics import NEURIPS, ZHANG
from gentex.cards import Card, Paper

GOOGLENET = Paper(
    "Going Deeper with Convolutions",
    (
        "Szegedy, Christian",
        "Liu, Wei",
        "Jia, Yangqing",
        "Sermanet, Pierre",
        "Reed, Scott",
        "Anguelov, Dragomir",
        "Erhan, Dumitru",
        "Vanhoucke, Vincent",
        "Rabinovich, Andrew",
    ),
    2015,
    "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
    "szegedy2015going",
    arxiv="1409.4842",
)
INCEPTION = Paper(
    "Rethinking the Inception Architecture for Computer Vision",
    (
        "Szegedy, Christian",
        "Vanhoucke, Vincent",
        "Ioffe, Sergey",
        "Shlens, Jon",
        "Wojna, Zbigniew",
    ),
    2016,
    "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
    "szegedy2016rethinking",
    arxiv="1512.00567",
)
STEIN = Paper(
    "Exposing Flaws of Generative Model Evaluation Metrics and Their Unfair Treatment of Diffusion "
    "Models",
    (
        "Stein, George",
        "Cresswell, Jesse C.",
        "Hosseinzadeh, Rasa",
        "Sui, Yi",
        "Ross, Brendan Leigh",
        "Villecroze, Valentin",
        "Liu, Zhaoyan",
        "Caterini, Anthony L.",
        "Taylor, J. Eric T.",
        "Loaiza-Ganem, Gabriel",
    ),
    2023,
    NEURIPS.format(36),
    "stein2023exposing",
    arxiv="2306.04675",
)

FEATURES = [
    Card(
        "random-conv",
        "gentex.metrics.features.simple:random_conv",
        "Seeded random convolutional networks, the mean over five of them; needs no weights",
        kind="features",
        tags=("offline",),
    ),
    Card(
        "pixels",
        "gentex.metrics.features.simple:pixels",
        "The pixels themselves",
        kind="features",
        tags=("offline",),
    ),
    Card(
        "encoder",
        "gentex.metrics.features.encoder:encoder",
        "Any trained Encoder: the folder that gentex train or gentex.save left",
        kind="features",
        argument="RUN",
        fingerprint="gentex.builtin.weights:encoder",
    ),
    Card(
        "inception",
        "gentex.metrics.features.inception_v3:inception",
        "Inception-v3, FID's space with the weights of FID; from a file that one has",
        kind="features",
        argument="[PATH]",
        fingerprint="gentex.builtin.weights:inception",
        paper=INCEPTION,
        tags=("weights", "classifier"),
    ),
    Card(
        "inception-v1-bvlc",
        "gentex.metrics.features.inception_v1:inception_v1_bvlc",
        "Inception-v1 with the weights of BVLC, from a file that one has; no FID",
        kind="features",
        argument="[PATH]",
        fingerprint="gentex.builtin.weights:inception_v1_bvlc",
        paper=GOOGLENET,
        tags=("weights", "classifier"),
    ),
    Card(
        "dinov2",
        "gentex.metrics.features.timm_models:dinov2",
        "DINOv2 ViT-L/14, from a file that one has or timm's downloads",
        kind="features",
        argument="[PATH]",
        fingerprint="gentex.metrics.features.timm_models:dinov2_fingerprint",
        paper=STEIN,
        tags=("weights",),
    ),
    Card(
        "timm",
        "gentex.metrics.features.timm_models:timm_model",
        "Any network of timm, from a file NAME.safetensors that one has or timm's downloads",
        kind="features",
        argument="NAME",
        fingerprint="gentex.metrics.features.timm_models:timm_fingerprint",
        tags=("weights",),
    ),
    Card(
        "lpips",
        "gentex.metrics.features.perceptual:lpips",
        "LPIPS, in which diversity is the usual one; from a folder with SqueezeNet and heads",
        kind="features",
        argument="[FOLDER]",
        fingerprint="gentex.builtin.weights:lpips",
        paper=ZHANG,
        tags=("weights",),
    ),
]
