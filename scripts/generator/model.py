import torch
from torch import nn
from torch.nn import functional as F


class Layered(nn.Module):
    def __init__(self, s):
        super().__init__()
        c, w = s["channels"], s["width"]
        self.c, self.layers = c, s["layers"]
        self.map = nn.ModuleList(
            [nn.Linear(s["latent"] + s["condition"], w), nn.Linear(w, w), nn.Linear(w, w)]
        )
        self.start = nn.Linear(w, 16 * c[0])
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in zip(c, c[1:-1])])
        self.shuffle = nn.Conv2d(c[-2], 4 * c[-1], 3, padding=1)
        self.styles = nn.ModuleList([nn.Linear(w, 2 * n) for n in c[1:]])
        self.masks = nn.Conv2d(c[-1], self.layers, 3, padding=1)
        self.colours = nn.Linear(w, 3 * self.layers)

    def _styled(self, x, w, style):
        scale, shift = style(w)[:, :, None, None].chunk(2, 1)
        return F.leaky_relu(x * (1 + scale) + shift, 0.2)

    def forward(self, latent, condition):
        w = torch.cat([latent, condition], 1)
        for layer in self.map:
            w = F.leaky_relu(layer(w), 0.2)
        x = self.start(w).view(-1, self.c[0], 4, 4)
        for conv, style in zip(self.convs, self.styles):
            x = self._styled(conv(F.interpolate(x, scale_factor=2.0, mode="nearest")), w, style)
        x = self._styled(F.pixel_shuffle(self.shuffle(x), 2), w, self.styles[-1])
        masks = self.masks(x).softmax(1)
        colours = torch.tanh(self.colours(w)).view(-1, self.layers, 3)
        return torch.einsum("nkhw,nkc->nchw", masks, colours)
