"""`isp doctor --device`: what counts as equal, what a failed child is, and the whole check between two processes."""

import copy
import json
from typing import Any

import pytest
import torch

from isp_core.__main__ import main
from isp_core.device_check import PLAN, check_device, compare, simulated
from isp_core.device_check.setup import PRESETS


def child(device: str = "CPU", precisions: tuple[str, ...] = ("fp32",)) -> dict[str, Any]:
    result = {"losses": [9.0, 8.0, 7.5, 7.2], "labels": [0, 1, 2, 3] * 100, "images": 4, "labels_seconds": 0.5}
    speed = {"images_per_second": 12.0, "peak_bytes": None}
    runs = {f"resnet50 {precision}": copy.deepcopy(result | speed) for precision in precisions}
    return {"device": device, "runs": runs, "pairs_per_second": 2e6}


def wrong(reference: dict[str, Any], tried: dict[str, Any]) -> list[str]:
    return [finding.name for finding in compare(reference, tried) if not finding.good]


def test_equal_results_are_in_order() -> None:
    assert wrong(child(), child("GPU", ("fp32", "bf16", "fp16"))) == []


@pytest.mark.parametrize(
    ("precision", "factor", "good"), [("fp32", 1.005, True), ("fp32", 1.02, False), ("bf16", 1.05, True),
                                      ("bf16", 1.2, False), ("fp16", float("nan"), False)],
)  # fmt: skip
def test_losses_may_differ_by_the_stated_tolerance(precision: str, factor: float, good: bool) -> None:
    tried = child("GPU", ("fp32", precision))
    tried["runs"][f"resnet50 {precision}"]["losses"][-1] *= factor
    assert wrong(child(), tried) == ([] if good else [f"resnet50 {precision} losses"])


def test_a_missing_epoch_is_no_agreement() -> None:
    tried = child("GPU")
    tried["runs"]["resnet50 fp32"]["losses"].pop()
    assert wrong(child(), tried) == ["resnet50 fp32 losses"]


def test_labels_may_differ_at_one_pixel_in_a_hundred() -> None:
    tried = child("GPU")
    labels = tried["runs"]["resnet50 fp32"]["labels"]
    labels[:4] = [3, 3, 3, 0]
    assert wrong(child(), tried) == []
    labels[4:8] = [3, 3, 3, 0]
    assert wrong(child(), tried) == ["resnet50 labels"]


def test_a_child_that_failed_is_said_with_its_reason() -> None:
    found = compare(child(), {"error": "CUDA error: out of memory"})
    assert [(each.good, "out of memory" in each.found) for each in found] == [(False, True)]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_forward_pass_stays_on_a_simulated_gpu(preset: str) -> None:
    assert "simulated device" in simulated(preset)


def test_a_network_that_mixes_devices_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from isp_core.models import ISPNet

    real = ISPNet.part_logits

    def mixed(self: ISPNet, maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return real(self, maps, size) + torch.zeros(1, device="cpu")[:, None, None, None].expand(2, 4, 1, 1)

    monkeypatch.setattr(ISPNet, "part_logits", mixed)
    with pytest.raises(Exception, match="device"):
        simulated("mobilenetv2")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_command_says_what_it_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--device", "cuda", "--json"])
    assert ended.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert [each["found"] for each in report["on a GPU this would"]] == list(PLAN)
    assert all(each["good"] for each in report["simulated forward pass"])
    assert not report["devices"][0]["good"]


def test_an_unknown_device_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--device", "tpu"])
    assert ended.value.code == 1
    assert "--device tpu: cuda or cpu" in capsys.readouterr().err


@pytest.mark.slow
def test_two_cpu_processes_agree() -> None:
    found = {each.name: each for each in check_device("cpu", ("mobilenetv2",), epochs=1)}
    assert [name for name, each in found.items() if not each.good] == []
    assert found["mobilenetv2 labels"].found.startswith("0.00% of pixels differ")
    assert "gloo" in found["process group"].found
