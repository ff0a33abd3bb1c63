"""The sections of a run's configuration, each option with its range and meaning; the defaults are the paper's, section
4.2. The section `labels` is its source's own (isp_core.labelling)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from isp_core.section import Pixels, Positive, Section, Share


class DataConfig(Section):
    """Pictures: their size, batches and augmentation (section 4.2)."""

    size: tuple[Pixels, Pixels] = Field((256, 128), description="height and width of the network's input")
    identities_per_batch: Positive = Field(16, description="P of P x K sampling")
    pictures_per_identity: Positive = Field(4, description="K of P x K sampling")
    epoch: Literal["pictures", "identities"] = Field("pictures", description="the unit that defines one epoch")
    identities: Positive | None = Field(None, description="train on the first N identities only")
    validation: Annotated[int, Field(ge=0)] = Field(
        0,
        description="training identities held out for choices (keep: best); the test set is evaluated once, at the end",
    )
    pad: Annotated[int, Field(ge=0)] = Field(10, description="pixels of padding before the random crop")
    flip: Share = Field(0.5, description="probability of a horizontal flip")
    erase: Share = Field(0.5, description="probability of random erasing")
    erase_ratio: Literal["log-uniform", "uniform"] = Field(
        "log-uniform",
        description="ratio of height to width; in its paper and the authors' code: uniform",
    )
    erase_fill: Literal["mean-colour", "image-mean"] = Field(
        "mean-colour", description="fill of an erased rectangle; in the authors' code: the image's own mean"
    )
    occlude: Share = Field(
        0.0, description="probability that another person, a block or an erased block is pasted over the image"
    )
    carry: Share = Field(
        0.0,
        description="probability that an image without a belonging is given another person's, with its label",
    )
    erased: Literal["background", "ignore"] = Field(
        "background", description="label of the pixels under an erased rectangle: an occluder hides parts (Eq. 8)"
    )
    workers: Annotated[int, Field(ge=0, le=256)] = Field(0, description="loader processes")
    cache_mb: Annotated[int, Field(ge=0)] = Field(1024, description="memory for decoded images, in MB")

    @field_validator("size")
    @classmethod
    def _divisible(cls, size: tuple[int, int]) -> tuple[int, int]:
        if size[0] % 32 or size[1] % 32:
            raise ValueError("height and width must be multiples of 32")
        return size

    @model_validator(mode="after")
    def _normalisable(self) -> DataConfig:
        if self.identities_per_batch * self.pictures_per_identity < 2:
            raise ValueError(
                "a batch of one image cannot be batch-normalised: identities_per_batch times pictures_per_identity "
                "must be at least 2"
            )
        return self


class ModelConfig(Section):
    """The network (section 3.1); the defaults are the paper's plain form on ResNet50."""

    backbone: str = Field("resnet50", description="a timm name or one of segmentation-models-pytorch")
    weights: str = Field("package", description="package, hub, none, a run of your own, or a file")
    output_stride: Literal[8, 16, 32] = Field(32, description="8 or 16 dilate the last stages")
    stages: tuple[Annotated[int, Field(ge=1, le=5)], ...] = Field((5,), description="stages that form M_g")
    layers: tuple[str, ...] = Field(
        (), description="layers that form M_g instead of stages, by timm's names, such as [blocks.5] of MobileNetV2"
    )
    dilated: bool = Field(
        True, description="dilate stages whose stride was removed; false with stride 16: the authors' last stride 1"
    )
    grid: Literal[4, 8, 16, 32] = Field(32, description="stride at which the stages are combined")
    channels: Positive | None = Field(None, description="channels after 1x1 conv, BN, ReLU; none: concatenation")
    level_stages: bool = Field(False, description="l2-normalise each stage per pixel before concatenation")
    attention: Literal["none", "spatial", "pixel"] = Field(
        "none", description="sigmoid attention on M_g; spatial: the authors'; pixel: a 1x1 convolution (older runs)"
    )
    align_corners: bool = Field(False, description="of bilinear upsampling; in the authors' code: true")
    bias: bool = Field(False, description="whether Eq. 5 has a bias; in the paper: no, in the authors' code: yes")
    classifier: Literal["linear", "deep"] = Field("linear", description="Eq. 5, or three convolutions before it")
    global_from: Literal["map", "stages"] = Field("map", description="pool F_g from M_g or directly from the stages")


class LossConfig(Section):
    """Eq. 6-7."""

    parsing: Annotated[float, Field(ge=0)] = Field(0.1, description="alpha of Eq. 7")
    parsing_reduction: Literal["mean", "sum"] = Field(
        "mean", description="over an image's pixels; Eq. 6 sums, at 64 x 32 this is 2048 times as large"
    )
    balance: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="how far the parsing loss compensates for unequal part sizes (logit adjustment); in the paper: 0",
    )
    label_smoothing: Share = Field(0.1, description="of the identity cross-entropy")
    margin: Annotated[float, Field(ge=0)] = Field(0.3, description="of the batch-hard triplet loss")
    triplet: Literal["groups", "parts", "both"] = Field(
        "groups",
        description="distances of the triplet loss: of the global, foreground and part groups (the paper), averaged "
        "over visible parts (GiLt of BPBReID, WACV 2023), or both",
    )
    parsing_start: Annotated[float, Field(ge=0)] | None = Field(
        None, description="alpha before it rises to loss.parsing; none: it does not rise"
    )
    parsing_rise: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = Field(
        (0, 0), description="epoch after which alpha rises linearly, and epoch from which it is loss.parsing"
    )
    center: Annotated[float, Field(ge=0)] = Field(
        0.0, description="weight of the authors' centre losses of global, foreground and parts (5e-4 on Market)"
    )
    center_lr: Annotated[float, Field(gt=0)] = Field(0.5, description="learning rate of the centres (plain descent)")

    @model_validator(mode="after")
    def _rising(self) -> LossConfig:
        if self.parsing_rise[0] > self.parsing_rise[1]:
            raise ValueError(f"parsing_rise begins after it ends: {list(self.parsing_rise)}")
        return self

    def alpha(self, epoch: int) -> float:
        """The weight of the parsing loss in epoch 1, 2, ...

        >>> loss = LossConfig(parsing=3.0, parsing_start=1.0, parsing_rise=(2, 4))
        >>> [loss.alpha(epoch) for epoch in range(1, 6)]
        [1.0, 1.0, 2.0, 3.0, 3.0]
        """
        first, last = self.parsing_rise
        if self.parsing_start is None or epoch >= last:
            return self.parsing
        risen = max(epoch - first, 0) / (last - first)
        return self.parsing_start + (self.parsing - self.parsing_start) * risen


class OptimConfig(Section):
    """Adam with linear warm-up and step decay (section 4.2)."""

    lr: Annotated[float, Field(gt=0)] = Field(3.5e-4, description="learning rate after the warm-up")
    warmup_epochs: Annotated[int, Field(ge=0)] = Field(10, description="epochs of linear warm-up")
    warmup_lr: Annotated[float, Field(gt=0)] = Field(3.5e-5, description="learning rate at the start of the warm-up")
    warmup_by: Literal["step", "epoch"] = Field(
        "step", description="when warm-up changes the rate; the authors: each epoch"
    )
    milestones: tuple[Positive, ...] = Field((40, 70), description="epochs at which the rate is multiplied by gamma")
    gamma: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="factor of the learning rate at a milestone")
    weight_decay: Annotated[float, Field(ge=0)] = Field(5e-4, description="of Adam")
    new_layers: Annotated[float, Field(gt=0)] = Field(1.0, description="factor of lr for layers without weights")
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="decay of a moving average of the weights, which labels, is evaluated and is stored; 0: none",
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="of the forward pass in training; fp16 scales the loss"
    )


class RunConfig(Section):
    """Length, seed and what the run directory keeps."""

    epochs: Positive = Field(120, description="epochs to train")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="of everything random")
    eval_every: Annotated[int, Field(ge=0)] = Field(10, description="epochs between evaluations (0: only the last)")
    truth: str | None = Field(None, description="folder of ground-truth maps to measure IoU with, never to train on")
    space: str = Field("lip", description="label space of run.truth")
    features: Literal["after-bn", "before-bn"] = Field("after-bn", description="which features embeddings hold")
    keep: Literal["all", "last", "best"] = Field("all", description="which epochs' weights are kept")
    activation: bool = Field(True, description="store Eq. 3 of every training image with its labels")
    tensorboard: bool = Field(False, description="also write TensorBoard event files")
