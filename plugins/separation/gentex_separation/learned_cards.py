"""The cards of the learned separators: known without importing torch."""

from __future__ import annotations

from gentex import Card, Paper


def _card(name: str, target: str, summary: str, paper: Paper, *tags: str) -> Card:
    return Card(
        name,
        f"gentex_separation.learned.{target}",
        summary,
        interfaces=("separator",),
        paper=paper,
        license="MIT",
        tags=("learned", *tags),
    )


LEARNED = (
    _card(
        "unet",
        "unet:UNet",
        "residual U-Net that predicts the texture; its weights can come with the package",
        Paper(
            "U-Net: Convolutional Networks for Biomedical Image Segmentation",
            ("Ronneberger, Olaf", "Fischer, Philipp", "Brox, Thomas"),
            2015,
            "Medical Image Computing and Computer-Assisted Intervention (MICCAI)",
            "ronneberger2015unet",
            arxiv="1505.04597",
            doi="10.1007/978-3-319-24574-4_28",
        ),
        "cnn",
        "weights",
    ),
    _card(
        "dncnn",
        "dncnn:DnCNN",
        "residual convolutions with batch norm, at the full resolution throughout",
        Paper(
            "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising",
            ("Zhang, Kai", "Zuo, Wangmeng", "Chen, Yunjin", "Meng, Deyu", "Zhang, Lei"),
            2017,
            "IEEE Transactions on Image Processing",
            "zhang2017beyond",
            arxiv="1608.03981",
            doi="10.1109/TIP.2017.2662206",
            entry="article",
        ),
        "cnn",
    ),
    _card(
        "unrolled",
        "unrolled:Unrolled",
        "primal-dual iterations whose operators and proximal steps are learned",
        Paper(
            "Learned Primal-Dual Reconstruction",
            ("Adler, Jonas", "Öktem, Ozan"),
            2018,
            "IEEE Transactions on Medical Imaging",
            "adler2018learned",
            arxiv="1707.06474",
            doi="10.1109/TMI.2018.2799231",
            entry="article",
        ),
        "cnn",
        "unrolled",
    ),
)
