"""The cards of the learned separators: known without importing torch."""

from __future__ import annotations

from gentex import Card, Paper


def _card(
    name: str,
    target: str,
    summary: str,
    paper: Paper,
    *tags: str,
    interfaces: tuple[str, ...] = ("separator",),
) -> Card:
    return Card(
        name,
        f"gentex_separation.learned.{target}",
        summary,
        interfaces=interfaces,
        paper=paper,
        license="MIT",
        tags=("learned", *tags),
    )


LEARNED = (
    _card(
        "unet",
        "unet:UNet",
        "residual U-Net that predicts the texture",
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
        "weights",
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
        "weights",
    ),
    _card(
        "deep-prior",
        "deep_prior:DeepPrior",
        "two untrained networks, one for each layer, fitted to every image anew",
        Paper(
            '"Double-DIP": Unsupervised Image Decomposition via Coupled Deep-Image-Priors',
            ("Gandelsman, Yosef", "Shocher, Assaf", "Irani, Michal"),
            2019,
            "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)",
            "gandelsman2019double",
            arxiv="1812.00467",
        ),
        "cnn",
        "untrained",
    ),
    _card(
        "swap",
        "swap:Swap",
        "swapping autoencoder: codes for structure and texture, which can be exchanged",
        Paper(
            "Swapping Autoencoder for Deep Image Manipulation",
            (
                "Park, Taesung",
                "Zhu, Jun-Yan",
                "Wang, Oliver",
                "Lu, Jingwan",
                "Shechtman, Eli",
                "Efros, Alexei A.",
                "Zhang, Richard",
            ),
            2020,
            "Advances in Neural Information Processing Systems (NeurIPS)",
            "park2020swapping",
            arxiv="2007.00653",
        ),
        "cnn",
        "gan",
        interfaces=("separator", "encoder"),
    ),
)
