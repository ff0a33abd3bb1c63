"""Which network a store's embeddings come from: features of two networks cannot be compared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from isp_core.config import check_config
from isp_core.gallery.entries import Layout
from isp_core.gallery.errors import GalleryError
from isp_core.json_reading import parse_json
from isp_core.runs import Run, schema
from isp_core.runs.checksums import sha256
from isp_core.runs.listing import why_no_weights

FORMAT = 1
"""Of what a store notes and of its entries; a store of another one is refused."""


@dataclass(frozen=True)
class Network:
    """A network, and what its embeddings look like.

    run, epoch: what it is called. weights: SHA-256 of its weights file. features: which features embeddings hold.
    size: height and width of its input. parts: K, 0 for a baseline. layout: None until embeddings were seen.
    """

    run: str
    epoch: int
    weights: str
    features: str
    size: tuple[int, int]
    parts: int
    layout: Layout | None = None

    @classmethod
    def of(cls, run: Run, epoch: int) -> Network:
        """The network of a run at an epoch. IspError where its weights were not kept."""
        folder = run.checkpoint(epoch)
        if folder is None:
            raise GalleryError(
                f"{run.path} has no weights of epoch {epoch}: images could never be compared with its embeddings"
                if run.weight_epochs()
                else why_no_weights(run)
            )
        features = check_config(run.info.config).run.features
        weights = sha256(folder / schema.WEIGHTS_FILE)
        return cls(run.path.resolve().name, epoch, weights, features, run.info.size, run.info.parts)

    def with_layout(self, layout: Layout) -> Network:
        """The same with what its embeddings look like."""
        return replace(self, layout=layout)

    @property
    def key(self) -> tuple[str, str, tuple[int, int]]:
        """What two networks must share for their embeddings to be comparable."""
        return self.weights, self.features, self.size

    def describe(self) -> str:
        """Name, epoch, K and the beginning of the weights' SHA-256."""
        return f"run {self.run}, epoch {self.epoch} (K = {self.parts}, weights {self.weights[:12]})"

    def document(self) -> str:
        """What a store notes."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, text: str, where: str) -> Network:
        """What `document` wrote. GalleryError, which begins with `where`, for another format or no such text."""
        try:
            noted: dict[str, Any] = dict(parse_json(text))
            version = noted.pop("format")
            if version != FORMAT:
                raise GalleryError(
                    f"{where} is of format {version}; this version of isp-reid reads format {FORMAT}: build it again, "
                    "or use the version that wrote it"
                )
            noted |= {"layout": Layout(**noted["layout"]), "size": tuple(noted["size"])}
            return cls(**noted)
        except (ValueError, TypeError, KeyError) as error:
            raise GalleryError(f"{where}: what it notes of its network is damaged ({error}): build it again") from None


def require_same(store: Network, given: Network, where: str) -> None:
    """GalleryError where the store's embeddings are another network's; it names both."""
    if store.key != given.key or store.parts != given.parts:
        raise GalleryError(
            f"{where} holds embeddings of {store.describe()}, not of {given.describe()}: features of two networks "
            "cannot be compared. Give that run (--run, --epoch), or another --store"
        )
