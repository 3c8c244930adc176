"""One-line mutations of the store, its files and its inventory."""

from __future__ import annotations

_STORE = "scgan/store/"
_ARTIFACTS = _STORE + "artifacts.py"
_FOLDER = _STORE + "folder.py"
_STORAGE = _STORE + "storage.py"
_INVENTORY = _STORE + "inventory.py"
_PARQUET = _STORE + "parquet.py"
_FILES = "tests/store/test_artifacts.py::"
_SECTION = _FILES + "test_a_section_is_of_its_name_and_no_longer_one"
_TWO = _FILES + "test_a_writer_never_removes_what_another_has_just_written"
_LINKS = _FILES + "test_links_that_lead_out_of_the_store_are_refused"
_LEFT = _FILES + "test_a_write_leaves_the_file_and_nothing_beside_it"
_HOURS = _FILES + "test_what_is_left_behind_is_waste_after_so_many_hours"
_NAMES = _FILES + "test_names_cannot_leave_the_store"
_ROWS = "tests/store/test_parquet.py::"
_TABLES_ORDER = _ROWS + "test_the_files_of_an_artifact_are_in_the_order_of_their_labels"
_LABELLED = _ROWS + "test_the_files_of_an_artifact_are_in_the_order_of_their_labels"

# Who notices what is changed in a file, where a mutation doesn't say otherwise.
_TESTS = {
    _ARTIFACTS: "tests/store/test_artifacts.py",
    _INVENTORY: "tests/cli/test_store.py",
    _PARQUET: "tests/store/test_parquet.py",
}

# The file, its text, what a careless hand makes of it, and who notices.
_CHANGES: list[tuple[str, str, str, str | None]] = [
    (
        _ARTIFACTS,
        'sort_keys=True, separators=(",", ":"), allow_nan=False',
        'separators=(",", ":"), allow_nan=False',
        None,
    ),
    (
        _ARTIFACTS,
        "replaced = self.files(key)\n",
        "replaced = self.files(key)\n        self.storage.write(_manifest(key), text.encode())\n",
        "tests/store/test_artifacts.py::test_killed_before_the_manifest_the_old_artifact_stays",
    ),
    (
        _ARTIFACTS,
        'if manifest["format"] != FORMAT or manifest["key"] != key:',
        'if manifest["format"] != FORMAT:',
        None,
    ),
    (
        _ARTIFACTS,
        'if manifest.pop("sha256") != digest(manifest):',
        'if not manifest.pop("sha256"):',
        None,
    ),
    (_ARTIFACTS, "if hashlib.sha256(content).hexdigest() != checksum:", "if not checksum:", None),
    (_ARTIFACTS, "if name.startswith(start)]", "if name.startswith(prefix)]", _SECTION),
    (
        _ARTIFACTS,
        "for other in replaced - files.keys():",
        "for other in files.keys() - replaced:",
        None,
    ),
    (_ARTIFACTS, "secrets.token_hex(4)", "'00000000'", _TWO),
    (_ARTIFACTS, 'if name.endswith("/manifest.json"):', "if True:", None),
    (
        _ARTIFACTS,
        'names = sorted(name for name in files if name.endswith(".parquet"))',
        'names = sorted((name for name in files if name.endswith(".parquet")), reverse=True)',
        _TABLES_ORDER,
    ),
    (
        _FOLDER,
        "                os.replace(temporary, path)\n",
        "                Path(path).write_bytes(content)\n",
        _LEFT,
    ),
    (
        _FOLDER,
        "if name.startswith(prefix) and NAME.fullmatch(name):",
        "if NAME.fullmatch(name):",
        "tests/store/test_artifacts.py::test_keys_are_those_that_begin_with_the_prefix",
    ),
    (_FOLDER, "if not path.resolve().is_relative_to(self.root.resolve()):", "if False:", _LINKS),
    (
        _STORAGE,
        'if not NAME.fullmatch(name) or ".." in name:',
        'if ".." in name:',
        _NAMES,
    ),
    (_INVENTORY, "time.time() - 3600 * hours", "time.time() - 60 * hours", _HOURS),
    (_INVENTORY, "if lately[_stage(item)] >= before]", "if item.modified >= before]", None),
    (
        _INVENTORY,
        "            open_ends += _upstream(store, key)\n",
        "",
        "tests/cli/test_store.py::test_what_a_running_job_was_made_from_is_kept",
    ),
    (
        _INVENTORY,
        'if storage.read("estimator.json") is not None:',
        "if False:",
        "tests/cli/test_store.py::test_a_saved_estimator_is_all_used",
    ),
    (_INVENTORY, "if item.key not in kept:", "if item.key in kept:", None),
    (
        _INVENTORY,
        'missing = [f"its {stage} artifact {key}" for stage, key in needed if key not in whole]',
        "missing = list[str]()",
        "tests/cli/test_store.py::test_verify_names_what_is_damaged",
    ),
    (
        _INVENTORY,
        "if write.entry.modified < before:",
        "if True:",
        "tests/cli/test_store.py::test_unfinished_writes_of_a_folder_go",
    ),
    (
        _PARQUET,
        "if first < len(ordered) and ordered[first] <= found.max:",
        "if first < len(ordered) and ordered[first] < found.max:",
        None,
    ),
    (
        _PARQUET,
        "keep = np.isin(columns[by], np.asarray(values))",
        "keep = columns[by] >= min(values)",
        None,
    ),
    (_PARQUET, "self.storage.delete(file.name)", "pass", None),
    (_PARQUET, "{label}-{checksum[:16]}.parquet", "{checksum[:16]}.parquet", _LABELLED),
]

MUTANTS = [(path, old, new, (test or _TESTS[path],)) for path, old, new, test in _CHANGES]
