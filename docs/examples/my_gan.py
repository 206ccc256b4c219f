import torch
from torch import nn
from torch.nn.functional import relu

import gentex


@gentex.register("my-gan", summary="A small hinge GAN on bilinear upsampling", license="MIT")
class MyGAN(gentex.Generator):
    def __init__(self, image: gentex.ImageShape, *, latent: int = 64, width: int = 32):
        super().__init__()
        self.latent, (channels, height, width_) = latent, image
        self.generator = nn.Sequential(
            nn.Linear(latent, 4 * width * height // 4 * width_ // 4),
            nn.Unflatten(1, (4 * width, height // 4, width_ // 4)), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(4 * width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(2 * width, channels, 3, padding=1), nn.Sigmoid(),
        )
        self.critic = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.LazyLinear(1),
        )
        self.critic(torch.zeros(1, *image))  # sizes the last layer

    def optimizers(self):
        return {name: torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
                for name, network in self.named_children()}

    def training_step(self, batch):
        fake = self.sample(len(batch))
        loss = relu(1 - self.critic(batch.images)) + relu(1 + self.critic(fake.detach()))
        yield gentex.Update("critic", loss.mean())
        yield gentex.Update("generator", -self.critic(fake).mean())  # sees the updated critic

    def sample(self, n, *, rng=None, condition=None):
        return self.generator(gentex.randn((n, self.latent), rng=rng, device=self.device))
