"""One-line mutations of what finds, reads, joins and writes people's files."""

from __future__ import annotations

DATA, TABLES, PICTURES = "scgan/data/", "scgan/data/tables/", "scgan/data/images/"
LISTING = ("tests/data/test_listing.py",)
CSV = ("tests/data/tables/test_csv.py",)
ODD = ("tests/data/tables/test_oddities.py",)
CONTAINERS = ("tests/data/test_containers.py",)
FINDING = ("tests/data/images/test_finding.py",)
INPUTS = ("tests/data/test_odd_inputs.py",)
SCIENTIFIC = ("tests/data/tables/test_scientific.py",)
SCORING = ("tests/pipeline/test_scoring.py::test_columns_that_no_distance_sees_are_told_of",)
ESTIMATOR = ("tests/test_estimator.py::test_what_is_given_comes_back",)
SESSION = ("tests/ray_jobs/cluster/test_session.py",)

MUTANTS = [
    # Folders.
    (DATA + "listing.py", 'part.startswith("_") and "=" not in part', "False", LISTING),
    (DATA + "listing.py", 'any(part.startswith(".") for part in path.parts)', "False", LISTING),
    (DATA + "listing.py", "followlinks=True", "followlinks=False", LISTING),
    (
        DATA + "listing.py",
        "above[here / below] = seen | {real}",
        "above[here / below] = seen",
        LISTING,
    ),
    (DATA + "listing.py", "    check_lake(source, names)\n", "", LISTING),
    (DATA + "listing.py", "rest = sorted(set(names) - set(read))", "rest = []", LISTING),
    (DATA + "listing.py", "yield unquote(name), None if", "yield name, None if", LISTING),
    (DATA + "listing.py", "unquote(value)\n", "value\n", LISTING),
    (DATA + "listing.py", 'None if value in {NO_VALUE, ""} else', "", LISTING),
    (DATA + "listing.py", "    if len(keys) > 1:\n", "    if False:\n", LISTING),
    (DATA + "listing.py", "t if coded else None", "None", LISTING),
    (DATA + "listing.py", "<= int(text) < 2**63", "<= int(text) < 2**70", LISTING),
    # Parts.
    (TABLES + "joining.py", "if have and len(have) < len(parts):", "if False:", LISTING),
    (TABLES + "joining.py", 'if whole and joined.kind == "f"', "if False", LISTING),
    (TABLES + "joining.py", "abs(value) > most", "False", LISTING),
    (TABLES + "joining.py", "np.dtype(np.float64): 2**53", "np.dtype(np.float64): 2**63", LISTING),
    (
        TABLES + "joining.py",
        'if any(kind.kind == "b" for kind in kinds):',
        "if False:",
        LISTING,
    ),
    (TABLES + "joining.py", "says = raw.num_rows and name", "says = name", LISTING),
    (TABLES + "joining.py", "            if len(odd):\n", "            if False:\n", LISTING),
    (TABLES + "parts.py", "f.types if f.rows else dict.fromkeys(f.types)", "f.types", LISTING),
    (TABLES + "parts.py", "with_cells(str(path), raw, self.cells[part])", "raw", LISTING),
    (TABLES + "parts.py", "self.types[n])", "None)", LISTING),
    (DATA + "remote.py", "            (folder / name).touch()\n", "            pass\n", LISTING),
    (TABLES + "arrow.py", "if isinstance(name, str) and name in schema.names", "if False", LISTING),
    # Delimited text.
    (
        TABLES + "csv.py",
        "newlines_in_values=b'\"' in text.content",
        "newlines_in_values=False",
        CSV,
    ),
    (TABLES + "csv.py", "decimal_point=text.decimal", 'decimal_point="."', CSV),
    (TABLES + "csv.py", "if commas and not points:", "if commas:", CSV),
    (TABLES + "csv.py", "*BLANKS]", "]", CSV),
    (TABLES + "csv.py", "max(integers) < 2**64", "max(integers) < 2**63", CSV),
    (TABLES + "csv.py", "if not _is_float(i)", "if False", CSV),
    (TABLES + "csv.py", "if text.said:", "if False:", CSV),
    (TABLES + "csv.py", "name.strip() for name in table.column_names", "*table.column_names", CSV),
    (TABLES + "csv.py", 'content.replace(b"\\r", b"\\n")', "content", CSV),
    # What is taken and said.
    (TABLES + "checking.py", "raw.codes.get(label, raw.columns[label])", "raw.columns[label]", CSV),
    (TABLES + "checking.py", "mask = mask | (values == own)", "pass", LISTING),
    (TABLES + "taking.py", "values = values.argmax(1)", "values = values[:, 0]", INPUTS),
    (TABLES + "oddities.py", "FAR_SINGLE = 2.0, 20.0", "FAR_SINGLE = 2.0, 1.0", ODD),
    (TABLES + "oddities.py", "len(distinct) > MIN_DISTINCT", "len(distinct) > 2", ODD),
    (TABLES + "oddities.py", "most = NUM_CLASSES if fractions else", "most =", ODD),
    (DATA + "split.py", "    if (there > 0).all():\n", "    if True:\n", FINDING),
    # In memory.
    (DATA + "arrays.py", "X.detach().cpu()", "X.cpu()", CONTAINERS),
    (DATA + "containers.py", "known.get(label, name)", "name", ESTIMATOR),
    (
        DATA + "containers.py",
        "        while text in names.values():",
        "        while False:",
        CONTAINERS,
    ),
    (DATA + "raw.py", "if mask is not None and mask.any():", "if False:", CONTAINERS),
    # Images.
    (PICTURES + "reading.py", "pixels *= 255", "pass", FINDING),
    (PICTURES + "reading.py", "if 0 < peak < 2**bits", "if False", FINDING),
    (PICTURES + "finding.py", "    tell_unread(source, every, {Pure", "    set({Pure", FINDING),
    (PICTURES + "folders.py", "        depth += 1\n", "        break\n", FINDING),
    (PICTURES + "folders.py", "        _check_parts_below(source, groups, depth)\n", "", FINDING),
    (PICTURES + "parquet.py", "any(is_image(cell) for cell in cells if cell)", "True", FINDING),
    (
        PICTURES + "archives.py",
        "            if info.flag_bits & 1:\n",
        "            if False:\n",
        FINDING,
    ),
    # Other kinds of file, scores, clusters.
    (TABLES + "scientific.py", "track_order=True", "track_order=False", SCIENTIFIC),
    (TABLES + "scientific.py", "np.dtype(np.int8): np.int16, ", "", SCIENTIFIC),
    (TABLES + "scientific.py", "if not asked and len(names) > 1:", "if False:", SCIENTIFIC),
    ("scgan/metrics/kept.py", "_constant(c, made)", "made[c.name]", SCORING),
    (
        "scgan/metrics/kept.py",
        "made[name], made[other]",
        "made[name], made[name]",
        SCORING,
    ),
    ("scgan/metrics/kept.py", "inside &= ", "inside = ", SCORING),
    (
        "ray_jobs/cluster/session.py",
        'address.startswith(("http://", "https://"))',
        "False",
        SESSION,
    ),
]
