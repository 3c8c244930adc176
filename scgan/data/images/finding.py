"""A set of images found by its layout: in a folder, an archive, .npz, .parquet or IDX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath

from scgan.data.images.archives import members
from scgan.data.images.folders import (
    CELEBA_ATTRIBUTES,
    CELEBA_PARTITION,
    SUFFIXES,
    File,
    read_celeba,
    read_class_folders,
)
from scgan.data.images.parquet import has_images, read_image_parquet
from scgan.data.images.sources import IDX_NAME, Source, read_idx, read_npz
from scgan.data.listing import (
    ARCHIVES,
    FOLDER_SUFFIXES,
    check_above,
    check_lake,
    is_hidden,
    kind_of,
    tell_unread,
    walk,
)
from scgan.data.telling import listed, tell


def find_images(path: Path, label: str | None, source: str) -> Source | None:
    """Read the images at a path without decoding them.

    Args:
        path: .npz, .parquet, .zip, .tar, or a folder: of IDX files, of images with CelebA's list,
            of parquet files, a folder a class or plain images.
        label: Column of a parquet file with the classes.
        source: What messages call it.

    Returns:
        The source, or None where the path holds no images.

    Raises:
        ValueError: In one line, if they can't be read.
    """
    files = {PurePosixPath(file.relative_to(path)): file for file in walk(path)}
    files = files if path.is_dir() else {PurePosixPath(path.name): path}
    seen = {name: file for name, file in files.items() if not _hidden(name)}

    parquet = [file for file in seen.values() if kind_of(file) == ".parquet" and file.is_file()]
    if parquet and has_images(parquet[0]):
        check_lake(source, files)
        check_above(source, path)
        if path.is_dir():
            tell_unread(source, files, [name for name in seen if kind_of(name) == ".parquet"])
        return read_image_parquet(parquet, label)

    found: Source | None = None
    if path.is_dir():
        found = _in_folder(source, path, seen, list(files))
    elif kind_of(path) in ARCHIVES and path.is_file():
        found = _in_archive(source, path)
    elif path.suffix == ".npz" and path.is_file():
        found = read_npz(path)

    if found is not None and label is not None:
        raise ValueError(
            f"{path}: images of this kind have no label column; leave --data.label out"
        )

    return found


def _in_folder(
    source: str, folder: Path, files: Mapping[PurePosixPath, Path], every: Sequence[PurePath]
) -> Source | None:
    if idx := {name: file for name, file in files.items() if IDX_NAME.fullmatch(name.name)}:
        tell_unread(source, every, idx)
        return read_idx(folder, [*idx.values()])

    images = [name for name in files if _is_image(name)]
    lists = {name.name for name in files} & {CELEBA_ATTRIBUTES}
    tables = [name for name in files if kind_of(name) in FOLDER_SUFFIXES]
    if not lists and len(images) <= len(tables):
        return None
    return _read(source, files, every)


def _in_archive(source: str, path: Path) -> Source:
    packed = members(path, lambda name: not _hidden(name) and (_is_image(name) or _is_list(name)))
    files = {name: content for name, content in packed.items() if content is not None}
    if not any(map(_is_image, files)):
        raise ValueError(
            f"{path}: no images in this archive ({len(packed)} files: {listed(list(packed))}); "
            "tables are read unpacked"
        )
    return _read(source, files, list(packed))


def _read(source: str, files: Mapping[PurePosixPath, File], every: Sequence[PurePath]) -> Source:
    """Images a folder a class, or with CelebA's lists; and what else is there, said."""
    images = {name: file for name, file in files.items() if _is_image(name)}
    lists = {name.name: name for name in files if _is_list(name)}

    if CELEBA_ATTRIBUTES in lists:
        partition = lists.get(CELEBA_PARTITION)
        attributes = files[lists[CELEBA_ATTRIBUTES]]
        parts = None if partition is None else files[partition]
        tell_unread(source, every, {*images, *lists.values()})
        return read_celeba(source, attributes, parts, images)

    found = read_class_folders(source, images)
    taken = [*found.train.images, *([] if found.test is None else found.test.images)]
    tell_unread(source, every, {PurePosixPath(image.name) for image in taken})

    # A folder that holds files, but no image of them, may have been meant as a class.
    seen = {name.parts[0] for name in every if len(name.parts) > 1 and not _hidden(name)}
    if lost := sorted(seen - {name.parts[0] for name in images}):
        tell(source, f"no image of {listed(lost)} can be read")
    return found


def _is_image(name: PurePath) -> bool:
    return name.suffix.lower() in SUFFIXES


def _is_list(name: PurePath) -> bool:
    return name.name in {CELEBA_ATTRIBUTES, CELEBA_PARTITION}


def _hidden(path: PurePath) -> bool:
    """As of tables, but that cameras begin the names of files with an underscore."""
    return is_hidden(path.parent) or path.name.startswith((".", "__"))
