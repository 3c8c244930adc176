"""Mutations of the command line: files of settings, quick help, what is not installed."""

_FILE, _MAIN = "scgan/cli/config_file.py", "scgan/cli/main.py"
_CONFIG = ("tests/cli/test_config_file.py",)
_CORE = ("tests/test_core_only.py",)

MUTANTS = [
    (
        _FILE,
        "args = [*words_of(path, self, given), *args]",
        "args += words_of(path, self, given)",
        _CONFIG,
    ),
    (_FILE, "elif not (option.multiple and given.get(str(option.name))):", "else:", _CONFIG),
    (_FILE, "if keys.count(key) > 1:", "if keys.count(key) > 2:", _CONFIG),
    (_FILE, 'if name == "data.source":', 'if name == "source":', _CONFIG),
    (
        _FILE,
        'csv.writer(line, lineterminator="").writerow(value)',
        'line.write(",".join(value))',
        _CONFIG,
    ),
    (_FILE, 'return [flag] if value == "true" else []', "return [flag]", _CONFIG),
    (_FILE, 'name = key.replace("-", "_")', "name = key", _CONFIG),
    (
        _FILE,
        'OWN = ("config", "changes", "dump_config")',
        'OWN = ("changes", "dump_config")',
        _CONFIG,
    ),
    (_FILE, '"seed": spec.seed, ', "", _CONFIG),
    (_FILE, "class Loader(yaml.BaseLoader):", "class Loader(yaml.SafeLoader):", _CONFIG),
    ("scgan/cli/commands.py", ".setLevel(level.upper())", '.setLevel("ERROR")', _CONFIG),
    (_MAIN, "import click\n", "import click\nimport torch\n", ("tests/cli/test_help.py",)),
    (
        "scgan/cli/store.py",
        "import click\n",
        "import click\nimport pandas\n",
        ("tests/cli/test_help.py",),
    ),
    ("scgan/cli/extras.py", "    if own:\n", "    if False:\n", _CORE),
    ("scgan/cli/extras.py", '"kornia": "image"', '"kornia": "images"', _CORE),
    ("scgan/store/opening.py", "except ModuleNotFoundError:", "except KeyError:", _CORE),
    ("pyproject.toml", '    "pandas>=2.2",\n', '    "pandas>=2.2",\n    "boto3>=1.35",\n', _CORE),
]
