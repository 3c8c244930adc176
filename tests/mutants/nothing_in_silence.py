"""One-line mutations of what takes odd inputs for what they are, or says so."""

from __future__ import annotations

DATA, TABLES, PICTURES = "scgan/data/", "scgan/data/tables/", "scgan/data/images/"
LISTING = ("tests/data/test_listing.py",)
CSV = ("tests/data/tables/test_csv.py",)
ODD = ("tests/data/tables/test_oddities.py",)
CONTAINERS = ("tests/data/test_containers.py",)
FINDING = ("tests/data/images/test_finding.py",)
SCIENTIFIC = ("tests/data/tables/test_scientific.py",)
WRITING = ("tests/data/tables/test_writing.py",)
SOURCES = ("tests/data/test_dataset.py",)
TRACKING = ("tests/tracking/test_addresses.py::test_the_experiment_is_the_users_by_its_id",)

MUTANTS = [
    # Lakes and folders.
    (DATA + "listing.py", "product(path.resolve().parents, LOGS)", "product((), LOGS)", LISTING),
    (DATA + "listing.py", "if len(pair) > len(text):", "if False:", LISTING),
    (DATA + "remote.py", "for above, log in product(", "for above, log in zip((), ", LISTING),
    (DATA + "tables/parts.py", "(*footer.names, *more)", "(*{*footer.names, *more},)", LISTING),
    (PICTURES + "finding.py", "        check_lake(source, files)\n", "", LISTING),
    (TABLES + "moments.py", 'if rows is not None and measure.dtype == "str"', "if False", LISTING),
    (TABLES + "taking.py", "if whole and (numbers :=", "if (numbers :=", LISTING),
    # Delimited text.
    (TABLES + "csv.py", "if found := _SEPARATOR.match(text.content):", "if found := None:", CSV),
    (TABLES + "csv.py", "if encoding := _wide(content):", "if encoding := None:", CSV),
    (TABLES + "csv.py", "there > 0.5", "False", CSV),
    (TABLES + "csv.py", "if not every:", "if False:", CSV),
    (TABLES + "csv.py", "except OverflowError:", "except ZeroDivisionError:", CSV),
    # In memory.
    (DATA + "arrays.py", 'hasattr(X, "unmasked")', "False", CONTAINERS),
    (DATA + "arrays.py", 'hasattr(X, "get_mask")', "False", CONTAINERS),
    (DATA + "arrays.py", "found = np.asarray(X, dtype=object) if mixed else found", "", CONTAINERS),
    (DATA + "arrays.py", 'if package in {"polars", "pyarrow"}:', "if False:", CONTAINERS),
    (DATA + "containers.py", "if type(error) is ValueError:", "if True:", CONTAINERS),
    (DATA + "containers.py", "made[name].unit = unit or None", "pass", CONTAINERS),
    (DATA + "containers.py", "if len({array.dtype.type for array", "if 0 * len({array", CONTAINERS),
    (TABLES + "frames.py", 'kind.startswith("period")', "False", CONTAINERS),
    # Marks.
    (TABLES + "oddities.py", "or _is_mark(float(distinct[place]))", "", ODD),
    (TABLES + "oddities.py", "return 0 if lone and", "return 0 if False and", ODD),
    (TABLES + "oddities.py", '("M", "times")', '("", "times")', ODD),
    # HDF5, Feather, FITS, csv.
    (
        TABLES + "scientific.py",
        "np.ma.MaskedArray(values, mask) if mask.any()",
        "values if 1",
        SCIENTIFIC,
    ),
    (TABLES + "scientific.py", "if item is None or isinstance", "if isinstance", SCIENTIFIC),
    (TABLES + "scientific.py", "if data.is_virtual:", "if False:", SCIENTIFIC),
    (
        TABLES + "scientific.py",
        "if names := h5py.check_enum_dtype(",
        "if names := bool(",
        SCIENTIFIC,
    ),
    (TABLES + "arrow.py", 'magic[:4] == b"FEA1"', "False", SCIENTIFIC),
    (TABLES + "writing.py", 't.endswith(" ")', "False", SCIENTIFIC),
    (TABLES + "writing.py", "if text in marks]", "if False]", WRITING),
    # Images.
    (PICTURES + "reading.py", "wide and peak < HALF", "False", FINDING),
    (PICTURES + "reading.py", "if header.frames > 1]", "if False]", FINDING),
    (PICTURES + "sources.py", "(values.sum(1) == 1).all()", "False", FINDING),
    (PICTURES + "archives.py", 'name.lstrip("/")', "name", ("tests/data/test_odd_inputs.py",)),
    (PICTURES + "archives.py", "again += place in found", "again += 0", FINDING),
    (PICTURES + "parquet.py", "if rest and not images:", "if False:", FINDING),
    # Addresses.
    (DATA + "formats.py", "path if path.exists() else", "path if True else", SOURCES),
    (DATA + "formats.py", "if not rest:", "if False:", SOURCES),
    # MLflow.
    ("scgan/tracking/tracker.py", "if name not in {None, found.name}:", "if False:", TRACKING),
    (
        "scgan/tracking/tracker.py",
        'found.lifecycle_stage != "active":\n        raise ValueError(\n            f"MLFLOW',
        'False:\n        raise ValueError(\n            f"MLFLOW',
        TRACKING,
    ),
]
