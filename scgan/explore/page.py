"""The page itself, a script that Streamlit runs anew for every change: ``page.py RUN STORE``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from scgan.capabilities import Amounts, Coefficients, OneOf, Option, WholeNumber
from scgan.explore.explorer import Explorer, View, enlarged, opened

NUM_SLIDERS = 12  # of an option, that are shown at once
NUM_STEPS = 200  # of a slider for a whole number; more are typed in
MOVED = "moved"  # key of the sliders that were moved, and where to: only these are chosen
SEED_MAX = 2**31 - 1


class Page:
    """Controls at the side, and what they lead to.

    Args:
        st: The module ``streamlit``, an extra.
        explorer: Of the run.
    """

    def __init__(self, st: Any, explorer: Explorer) -> None:
        self.st, self.explorer = st, explorer
        st.session_state.setdefault(MOVED, {})

    def show(self) -> None:
        """Draw the page."""
        st, spec = self.st, self.explorer.stored.spec
        st.set_page_config(page_title=f"{spec.run_id} - scgan", layout="wide")
        with st.sidebar:
            st.markdown(f"**{spec.system}** on **{spec.data.source}**  \n`{spec.run_id}`")
            view = self.controls()

        if not self.explorer.takes_images:
            self.table(view)
            return

        samples, reading = st.tabs(["Samples", "A real image"])
        with samples:
            self.images(view)
        with reading:
            self.reading(view)

    def controls(self) -> View:
        """The number, the seed and every option of the model."""
        st = self.st
        if self.explorer.takes_images:
            num = st.slider("images", 1, 64, 16, key="num")
        else:
            num = st.slider("rows", 500, 20_000, 2_000, step=500, key="num")

        seed = st.number_input("seed", 0, SEED_MAX, 0, key="seed")
        given = [(option.name, self.option(option)) for option in self.explorer.options]
        st.button("Let all be drawn again", on_click=self.reset)
        return View(num, seed, tuple((name, text) for name, text in given if text is not None))

    def option(self, option: Option) -> str | None:
        """Controls of an option, and what is chosen, as the command takes it; None for nothing."""
        st, key, label = self.st, option.name, option.name
        if isinstance(option, Amounts):
            return self.amounts(option)

        if isinstance(option, OneOf):
            chosen = st.selectbox(label, [None, *option.choices], key=key, format_func=_said)
        elif isinstance(option, WholeNumber) and option.below <= NUM_STEPS:
            every = [None, *range(option.below)]
            chosen = st.select_slider(label, every, key=key, format_func=_said, help=option.meaning)
        else:
            chosen = st.text_input(label, key=key, help=f"{option.meaning}; {option.allowed}")

        return None if chosen in (None, "") else str(chosen)

    def amounts(self, option: Amounts) -> str | None:
        """A slider for each name of a group; those that were moved count, of any group."""
        st, groups = self.st, _groups(option)
        title = next(iter(groups))
        if len(groups) > 1:  # a page with all sliders would follow none of them in time
            title = st.selectbox(f"{option.name}, of", list(groups), key=f"{option.name}, of")

        with st.container(border=True):
            for name in groups[title]:
                self.amount(option, name)

        moved = st.session_state[MOVED]
        chosen = {name: moved[key] for name in option.names if (key := _key(option, name)) in moved}
        return ",".join(f"{name}={value:g}" for name, value in chosen.items()) or None

    def amount(self, option: Amounts, name: str) -> None:
        """A slider, where it was left when it was last shown."""
        st, key = self.st, _key(option, name)
        st.session_state.setdefault(key, st.session_state[MOVED].get(key, 0.0))
        step = (option.high - option.low) / 100
        words = {"key": key, "on_change": self.move, "args": (key,)}
        st.slider(name, option.low, option.high, step=step, **words)

    def move(self, key: str) -> None:
        """Remember that a slider was moved, and where to."""
        state = self.st.session_state
        state[MOVED] = {**state[MOVED], key: state[key]}

    def reset(self) -> None:
        """Bring every control of an option back to where nothing is chosen."""
        state = self.st.session_state
        for key in state[MOVED]:
            state[key] = 0.0
        state[MOVED] = {}
        for option in self.explorer.options:
            if not isinstance(option, Amounts):
                state[option.name] = None if isinstance(option, OneOf | WholeNumber) else ""

    def images(self, view: View) -> None:
        """A grid of images, and how to draw it again."""
        st = self.st
        try:
            file, shown = self.explorer.grid(view)
        except ValueError as error:
            st.error(str(error))
            return

        st.image(shown, output_format="PNG")
        self.saving(view, file, "samples.png")

    def table(self, view: View) -> None:
        """Samples over data in a pair of columns, and how to draw them again."""
        st = self.st
        try:
            rows = self.explorer.rows(view)
        except ValueError as error:
            st.error(str(error))
            return

        names, sides = list(rows), st.columns(2)
        across = sides[0].selectbox("across", names, key="across")
        down = sides[1].selectbox("up", names, index=min(1, len(names) - 1), key="up")
        shown = self.explorer.picture(rows, across, down)
        st.image(shown, output_format="PNG")

        if not self.explorer.real_rows:
            st.caption("The data can't be read any more: samples alone.")
        self.saving(view, shown, "picture.png")

    def saving(self, view: View, file: bytes, name: str) -> None:
        """The picture as a file, and the command."""
        st = self.st
        st.code(self.explorer.command(view), language=None, wrap_lines=True)
        st.download_button("Save this picture", file, name, "image/png", on_click="ignore")

    def reading(self, view: View) -> None:
        """A real image in; its attributes and the nearest samples out."""
        st = self.st
        file = st.file_uploader("A real image", key="file")
        if file is None:
            st.caption("Its attributes, and the samples that are most like it, are found.")
            return

        try:
            found = self.explorer.find(file.getvalue(), view)
        except ValueError as error:
            st.error(str(error))
            return

        left, right = st.columns([1, 3])
        left.image(enlarged(found.image), caption="as the model sees it")
        most = sorted(found.degrees.items(), key=lambda pair: -pair[1])[:NUM_SLIDERS]
        for name, degree in most:
            right.progress(min(1.0, degree), text=f"{name}: {degree:.2f}")

        st.caption("The nearest samples, by the choices at the side")
        numbers = [f"sample {place + 1}" for place in found.places]
        st.image([enlarged(image) for image in found.nearest], caption=numbers, width=140)


def _said(choice: Any) -> str:
    return "not chosen" if choice is None else str(choice)


def _key(option: Option, name: str) -> str:
    """Of a slider's state."""
    return f"{option.name} {name}"


def _groups(option: Amounts) -> dict[str, Sequence[str]]:
    """Names by the title of the group that is shown at once: a layer's, or a dozen."""
    if isinstance(option, Coefficients):
        layers: dict[str, list[str]] = {}
        for name in option.names:
            layers.setdefault(f"layer {name.partition('.')[0]}", []).append(name)
        return dict(layers)

    starts = range(0, len(option.names), NUM_SLIDERS)
    dozens = [option.names[start : start + NUM_SLIDERS] for start in starts]
    return {f"{names[0]} to {names[-1]}": names for names in dozens}


def main() -> None:
    """Draw the page of the run that the command line names."""
    import streamlit

    Page(streamlit, opened(sys.argv[1], sys.argv[2])).show()


if __name__ == "__main__":
    main()
