"""Which files are images, by their names alone. What is inside them decides when they are opened."""

from __future__ import annotations

from pathlib import Path

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


def is_hidden(path: Path) -> bool:
    """Whether a name is hidden, as "._0001.jpg" is, which macOS writes next to files on foreign disks."""
    return path.name.startswith(".")


def is_image(path: Path) -> bool:
    """Whether the name is an image's; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(path)


def images_in(folder: Path) -> list[Path]:
    """The images directly in `folder`, by name; empty where there is no such folder."""
    return sorted(filter(is_image, folder.iterdir())) if folder.is_dir() else []


def has_images(folder: Path) -> bool:
    """Whether an image lies directly in `folder`; stops at the first."""
    return folder.is_dir() and any(map(is_image, folder.iterdir()))


def images_below(folder: Path) -> list[Path]:
    """The images in `folder` and in the visible folders below it, by path."""
    return sorted(path for path in folder.rglob("*") if is_image(path) and not _below_hidden(path.relative_to(folder)))


def _below_hidden(path: Path) -> bool:
    return any(name.startswith((".", "__MACOSX")) for name in path.parts[:-1])
