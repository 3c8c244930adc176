"""One-line mutations of what reads, splits, standardises, augments and writes data."""

from __future__ import annotations

TABLES, PICTURES = "scgan/data/tables/", "scgan/data/images/"
SCHEMA = ("tests/data/tables/test_schema.py",)
SCALES = ("tests/data/tables/test_scales.py",)
READING = ("tests/data/tables/test_reading.py",)
STREAMING = ("tests/data/tables/test_streaming.py",)
WRITING = ("tests/data/tables/test_writing.py",)
DATASET = ("tests/data/test_dataset.py",)
TOY = ("tests/data/test_toy.py",)
VIEWS = ("tests/data/test_views.py",)
IMAGE_SCHEMA = ("tests/data/images/test_image_schema.py",)
AUGMENT = ("tests/data/images/test_augment.py",)
IMAGES = ("tests/data/images/test_image_reading.py",)
IMAGE_FOLDERS = ("tests/data/images/test_image_folders.py",)
IMAGE_WRITING = ("tests/data/images/test_image_writing.py",)

# The file, its text, what a careless hand makes of it, and the tests that must fail then.
MUTANTS: list[tuple[str, str, str, tuple[str, ...]]] = [
    # A column's scale and its inverse.
    (
        TABLES + "column.py",
        "* self.step - self.center) / self.spread",
        "* self.step - self.center) / self.spread**2",
        SCHEMA,
    ),
    (TABLES + "column.py", "return np.clip(z, -FARTHEST, FARTHEST)", "return z", SCHEMA),
    (
        TABLES + "column.py",
        "distance = z * self.spread + self.center",
        "distance = z * self.spread",
        SCHEMA,
    ),
    (
        TABLES + "column.py",
        "values = np.clip(values, self.low, self.high)",
        "pass",
        SCHEMA,
    ),
    (
        TABLES + "column.py",
        "math.ldexp(self.low, -self.exponent) + distance, self.exponent",
        "math.ldexp(self.low, -self.exponent) + distance, -self.exponent",
        SCHEMA,
    ),
    (TABLES + "column.py", "(place - 0.5) * self.step", "(place - 0.5)", SCALES),
    (TABLES + "column.py", "self.ranks.forward(d, place,", "self.ranks.forward(d, 0.5,", SCALES),
    (
        TABLES + "column.py",
        "np.round(values, self.decimals) + 0.0",
        "np.round(values, self.decimals)",
        SCALES,
    ),
    (
        TABLES + "measuring.py",
        "float(distance.mean()), float(distance.std())",
        "float(np.median(distance)), float(distance.std())",
        SCHEMA,
    ),
    (
        TABLES + "measuring.py",
        "float(distance.mean()), float(distance.std())",
        "float(distance.mean()), float(distance.std(ddof=1))",
        SCHEMA,
    ),
    (
        TABLES + "schema.py",
        "_same(before, column) and equal(values[before.name], array)",
        "_same(before, column)",
        SCHEMA,
    ),
    (
        TABLES + "schema.py",
        'replace(column, kind="duplicate", source=before.name)',
        'replace(column, kind="constant")',
        SCHEMA,
    ),
    (
        TABLES + "schema.py",
        "return {name: restored[name] for name in self.names}",
        "return restored",
        SCHEMA,
    ),
    (TABLES + "schema.py", "if not np.isfinite(z).all():", "if np.isnan(z).all():", SCHEMA),
    (TABLES + "distances.py", "return low + 0.0, high + 0.0", "return low, high", SCHEMA),
    (
        TABLES + "distances.py",
        "np.where(values >= low, offset.astype(np.float64), below)",
        "offset.astype(np.float64)",
        SCHEMA,
    ),
    # Ranks, and which scale a column is on.
    (TABLES + "scales.py", "below = above - counts / num", "below = above", SCALES),
    (TABLES + "scales.py", "middle = (below + above) / 2", "middle = below", SCALES),
    (TABLES + "scales.py", "np.where(steps | after, below, middle)", "middle", SCALES),
    (TABLES + "scales.py", "np.where(steps | before, above, middle)", "middle", SCALES),
    (TABLES + "scales.py", "edge + beyond / spread", "edge + beyond", SCALES),
    (TABLES + "scales.py", "np.where(beyond < 0, first,", "np.where(beyond > 0, first,", SCALES),
    (TABLES + "choosing.py", "saved = cost_ranks - cost_linear", "saved = 1.0", SCALES),
    (TABLES + "choosing.py", "if atom > MAX_ATOM:", "if False:", SCALES),
    (
        TABLES + "choosing.py",
        "+ _entropy(x) - _entropy(z)",
        "+ _entropy(x)",
        SCALES,
    ),
    (TABLES + "choosing.py", "np.log(num / (2 * m) * np", "np.log(num / m * np", SCALES),
    (TABLES + "scales.py", "range(7)", "range(4)", SCALES),
    # Moments joined over batches.
    (
        TABLES + "moments.py",
        "a[2] + b[2] + step * step * a[0] * b[0] / num",
        "a[2] + b[2]",
        STREAMING,
    ),
    (TABLES + "moments.py", "a[1] + step * b[0] / num", "a[1] + step * a[0] / num", STREAMING),
    (
        TABLES + "moments.py",
        "min(low, self.ends[0]), max(high, self.ends[1])",
        "low, high",
        STREAMING,
    ),
    (
        TABLES + "moments.py",
        "center = (math.ldexp(mean, shift) + offset) / grid",
        "center = math.ldexp(mean, shift) / grid",
        STREAMING,
    ),
    # Reading of tables.
    (TABLES + "checking.py", "table.take(~some)", "table.take(some)", READING),
    (
        TABLES + "table.py",
        "None if self.labels is None else self.labels[rows]",
        "self.labels",
        READING + DATASET,
    ),
    (
        TABLES + "checking.py",
        "mask = mask | ~np.isfinite(values)",
        "mask = mask | np.isnan(values)",
        READING,
    ),
    (
        TABLES + "checking.py",
        "taken[label] = labels = take_labels(",
        "labels = take_labels(",
        READING,
    ),
    (TABLES + "reading.py", "choice.label or raw.label", "choice.label", READING),
    (TABLES + "checking.py", "dropped=int(some.sum())", "dropped=0", READING),
    (
        TABLES + "checking.py",
        "tuple(name for name in raw.names if name != label)",
        "tuple(raw.names)",
        READING,
    ),
    (
        "scgan/data/listing.py",
        "parts = [name for name in sorted(names) if not is_hidden(name)]",
        "parts = [name for name in sorted(names, reverse=True) if not is_hidden(name)]",
        READING,
    ),
    ("scgan/data/raw.py", "if a.ndim in {1, 2} and len(a) == num}", "if a.ndim == 1}", READING),
    # Streaming.
    (
        TABLES + "streaming.py",
        "held_out = place < parts.test_fraction",
        "held_out = place > parts.test_fraction",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "moments.add(train_rows.columns, train_rows.meanings)",
        "moments.add(table.columns, table.meanings)",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "train.add(1 - place[~held_out], train_rows)",
        "train.add(np.arange(train_rows.num_rows) / 131072, train_rows)",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "test.add(place[held_out], test_rows)",
        "test.add(place[~held_out], train_rows)",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "train = place >= self.parts.test_fraction",
        "train = place >= 0",
        STREAMING,
    ),
    (
        TABLES + "parts.py",
        "np.random.default_rng((self.seed, part))",
        "np.random.default_rng(self.seed)",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "order = np.argsort(joined)[: self.size]",
        "order = np.arange(len(joined))[: self.size]",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "rows = shard_rows or max(1, SHARD_VALUES // dim)",
        "rows = max(1, SHARD_VALUES // dim)",
        STREAMING,
    ),
    (
        TABLES + "streaming.py",
        "fingerprint((drawn, scaling, moments.hashes()), arrays)",
        "fingerprint(drawn, arrays)",
        STREAMING,
    ),
    # The split.
    (
        "scgan/data/split.py",
        "table.take(order[num_test:]), table.take(order[:num_test])",
        "table.take(order[:num_test]), table.take(order[num_test:])",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "table.take(order[num_test:]), table.take(order[:num_test])",
        "table, table.take(order[:num_test])",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "schema = Schema.fit(train.columns, table.meanings)",
        "schema = Schema.fit(table.columns, table.meanings)",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "order = np.random.default_rng(seed).permutation(table.num_rows)",
        "order = np.arange(table.num_rows)",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "test=schema.encode(test.columns),",
        "test=Schema.fit(test.columns).encode(test.columns),",
        DATASET,
    ),
    ("scgan/data/split.py", "train_labels=train.labels,", "train_labels=test.labels,", DATASET),
    (
        "scgan/data/split.py",
        "test = data.schema.encode(data.schema.decode(test))",
        "test = data.schema.encode(data.schema.decode(test), spreading(seed))",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "table.names, test_fraction, seed, scaling",
        "table.names, test_fraction, scaling",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "fingerprint(drawn, (*table.columns.values(), table.labels))",
        "fingerprint(drawn, table.columns.values())",
        DATASET,
    ),
    ("scgan/data/split.py", "test=train[:0],", "test=train,", DATASET),
    (
        "scgan/data/split.py",
        "test_labels, labels = labels[order[:num_test]], labels[order[num_test:]]",
        "test_labels, labels = labels[:num_test], labels[num_test:]",
        IMAGES,
    ),
    (
        "scgan/data/split.py",
        "if test is None:\n        num_test",
        "if True:\n        num_test",
        IMAGES,
    ),
    ("scgan/data/split.py", "(train, labels, test, test_labels)", "(train, test)", IMAGES),
    (
        "scgan/data/split.py",
        "data.train_labels, data.train[held_out]",
        "data.train_labels, data.test",
        DATASET,
    ),
    (
        "scgan/data/split.py",
        "test_labels=None if labels is None else labels[held_out.numpy()],",
        "test_labels=data.test_labels,",
        DATASET,
    ),
    ("scgan/data/split.py", "train=data.train[rest],", "train=data.train,", DATASET),
    (
        "scgan/data/fingerprint.py",
        "digest.update(repr((array.dtype.str, array.shape)).encode())",
        "digest.update(repr(array.shape).encode())",
        DATASET,
    ),
    # Loading.
    (
        "scgan/data/loading.py",
        "enumerate((num_train, num_test))",
        "enumerate((num_train, num_train))",
        DATASET,
    ),
    (
        "scgan/data/loading.py",
        "np.random.SeedSequence((seed, part))",
        "np.random.SeedSequence(seed)",
        DATASET,
    ),
    ("scgan/data/loading.py", "config.image_size or SIZE_OF_DIGITS", "SIZE_OF_DIGITS", IMAGES),
    ("scgan/data/loading.py", "test=schema.encode(test),", "test=schema.encode(train),", DATASET),
    (
        "scgan/data/loading.py",
        "data = split(path.stem, table, config.test_fraction, seed, config.scaling)",
        "data = split(path.stem, table, 0.2, seed, config.scaling)",
        DATASET,
    ),
    (
        "scgan/data/loading.py",
        "config.label, config.missing, config.missing_values)",
        "config.label, 'error', config.missing_values)",
        DATASET,
    ),
    (
        "scgan/data/loading.py",
        "test_labels=found.test.labels,",
        "test_labels=found.train.labels,",
        STREAMING,
    ),
    # Toy sets.
    (
        "scgan/data/mixture.py",
        "weights.log() - LOG_2PI - 2 * stds.log() - squared / 2",
        "-LOG_2PI - 2 * stds.log() - squared / 2",
        TOY,
    ),
    (
        "scgan/data/mixture.py",
        "weights.log() - LOG_2PI - 2 * stds.log() - squared / 2",
        "weights.log() - LOG_2PI - stds.log() - squared / 2",
        TOY,
    ),
    (
        "scgan/data/mixture.py",
        "torch.searchsorted(weights.cumsum(0), uniform, right=True)",
        "(uniform * len(self.weights)).long()",
        TOY,
    ),
    ("scgan/data/toy.py", "uniform[:2].clamp_(max=1 - 2**-22)", "uniform[:2].clamp_(max=1)", TOY),
    ("scgan/data/toy.py", "self.turn * uniform[:, 0].sqrt()", "self.turn * uniform[:, 0]", TOY),
    ("scgan/data/toy.py", "return pair.flip(1) if self.flip else pair", "return pair", TOY),
    (
        "scgan/data/toy.py",
        "math.log(self.std**2 * len(self.centers))",
        "math.log(self.std**2)",
        TOY,
    ),
    # Views of rows.
    (
        "scgan/data/views.py",
        "x + std * noise[0], x + std * noise[1]",
        "x + std * noise[0], x + std * noise[0]",
        VIEWS,
    ),
    (
        "scgan/data/views.py",
        "x + std * noise[0], x + std * noise[1]",
        "x, x + std * noise[1]",
        VIEWS,
    ),
    ("scgan/data/views.py", "torch.randn(2, *x.shape", "torch.rand(2, *x.shape", VIEWS),
    # Images: schema, augmentation.
    (PICTURES + "schema.py", ".div_(127.5).sub_(1.0)", ".div_(255.0)", IMAGE_SCHEMA),
    (PICTURES + "schema.py", ".round_().clamp_(0, 255)", ".clamp_(0, 255)", IMAGE_SCHEMA),
    (PICTURES + "schema.py", ".round_().clamp_(0, 255)", ".round_()", IMAGE_SCHEMA),
    (
        PICTURES + "schema.py",
        "pixels.permute(0, 2, 3, 1)",
        "pixels.permute(0, 3, 2, 1)",
        IMAGE_SCHEMA,
    ),
    (
        PICTURES + "augment.py",
        "if chance < self.probability:",
        "if chance > self.probability:",
        AUGMENT,
    ),
    (PICTURES + "augment.py", "if chance < self.probability:", "if True:", AUGMENT),
    (
        PICTURES + "augment.py",
        "return (x - mean) * (0.5 + contrast) + mean",
        "return (x - mean) * contrast + mean",
        AUGMENT,
    ),
    (
        PICTURES + "augment.py",
        "x = _KINDS[kind](x, numbers)",
        "x = _KINDS[kind](x, torch.rand_like(numbers))",
        AUGMENT,
    ),
    (
        PICTURES + "augment.py",
        "x = _KINDS[kind](x, numbers)",
        "x = _KINDS[kind](x, numbers[:1].expand_as(numbers))",
        AUGMENT,
    ),
    (PICTURES + "augment.py", 'self.NOISE_STD if name == "affine" else 0.0', "0.0", AUGMENT),
    (PICTURES + "augment.py", "view = self.augment((x + 1) / 2) * 2 - 1", "view = x", AUGMENT),
    (
        PICTURES + "augment.py",
        "view = self.augment((x + 1) / 2) * 2 - 1",
        "view = self.augment(x)",
        AUGMENT,
    ),
    (PICTURES + "augment.py", "return view.clamp(-1, 1)", "return view", AUGMENT),
    (PICTURES + "augment.py", "K.RandomHorizontalFlip(),", "", AUGMENT),
    # Images: reading, writing.
    (
        PICTURES + "reading.py",
        "labels = None if part.labels is None else part.labels[keep]",
        "labels = part.labels",
        IMAGES,
    ),
    (
        PICTURES + "reading.py",
        "test = None if source.test is None else _decoded(source.test, size, channels, white)",
        "test = None if source.test is None else _decoded(source.train, size, channels, white)",
        IMAGE_FOLDERS,
    ),
    (
        PICTURES + "reading.py",
        "part.labels[:, places]",
        "part.labels[:, sorted(places)]",
        IMAGE_FOLDERS,
    ),
    (
        PICTURES + "reading.py",
        "return Part(_rows(part.images, rows), labels)",
        "return Part(part.images[: len(rows)], labels)",
        IMAGES,
    ),
    (PICTURES + "reading.py", "max(header.channels for", "min(header.channels for", IMAGES),
    (PICTURES + "folders.py", "values[rows[2]], names)", "values[rows[1]], names)", IMAGE_FOLDERS),
    (PICTURES + "folders.py", 'dtype="U2") == "1"', 'dtype="U2") != "1"', IMAGE_FOLDERS),
    (PICTURES + "writing.py", "path / folders[label] if", "path / folders[0] if", IMAGE_WRITING),
    (
        PICTURES + "writing.py",
        'np.where(label, "1", "-1")',
        'np.where(label, "-1", "1")',
        IMAGE_WRITING,
    ),
    (
        PICTURES + "writing.py",
        "top, left = place // columns * down, place % columns * across",
        "left, top = place // columns * down, place % columns * across",
        IMAGE_WRITING,
    ),
    (
        PICTURES + "writing.py",
        'name = "degrees" if sampled.labels.dtype == np.float32 else "y"',
        'name = "y"',
        IMAGE_WRITING,
    ),
    ("scgan/data/atomic.py", "yield partial", "yield path", WRITING),
    (
        TABLES + "writing.py",
        "np.stack(list(columns.values()), axis=1)",
        "np.stack(list(columns.values()), axis=0)",
        WRITING,
    ),
]
