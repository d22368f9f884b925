"""Picking, cropping and mirroring a batch in one gather on the device, without a copy of the padded images."""

import torch
from torch import Tensor

from archsearch.api.task import Augmentation


class Picker:
    """Takes batches out of a data set that lives on the device as one tensor of bytes."""

    def __init__(self, images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> None:
        """Pick from ``images`` (N, height, width, channels); ``generator`` lives on the same device."""
        self.images = images
        self.augmentation = augmentation
        self.generator = generator

    def pick(self, indices: Tensor) -> Tensor:
        """The images at ``indices`` (batch,), each shifted and mirrored at random: (batch, height, width, channels)."""
        flip, crop = self.augmentation.flip, self.augmentation.crop
        if not flip and not crop:
            return self.images.index_select(0, indices)
        _, height, width, _ = self.images.shape
        rows = self._shifted(len(indices), height, crop)
        columns = self._shifted(len(indices), width, crop)
        if flip:
            mirrored = self._integers(len(indices), 0, 1).bool()
            columns = torch.where(mirrored, width - 1 - columns, columns)
        return self.images[indices[:, None, None], rows[:, :, None], columns[:, None, :]]

    def _shifted(self, count: int, pixels: int, crop: int) -> Tensor:
        """(count, pixels): the coordinates read, each image shifted by its own offset, reflected at the borders."""
        places = torch.arange(pixels, device=self.images.device).expand(count, pixels)
        if not crop:
            return places
        return reflect(places + self._integers(count, -crop, crop), pixels)

    def _integers(self, count: int, low: int, high: int) -> Tensor:
        """(count, 1): uniform in [low, high]."""
        return torch.randint(low, high + 1, (count, 1), generator=self.generator, device=self.images.device)


def reflect(places: Tensor, pixels: int) -> Tensor:
    """Coordinates mirrored into [0, pixels - 1] without repeating the border, however far outside they are."""
    period = max(2 * (pixels - 1), 1)
    places = places.remainder(period)
    return torch.minimum(places, period - places) if pixels > 1 else torch.zeros_like(places)
