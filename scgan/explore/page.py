"""The page itself, a script that Streamlit runs anew for every change: ``page.py RUN STORE``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from scgan.capabilities import Amounts, Coefficients, OneOf, Option, WholeNumber
from scgan.explore.explorer import Explorer, View, enlarged, opened

NUM_SLIDERS = 12  # of an option, before the others are folded away
NUM_STEPS = 200  # of a slider for a whole number; more are typed in
MOVED = "moved"  # key of the sliders that were moved: only these are chosen
SEED_MAX = 2**31 - 1


class Page:
    """Controls at the side, and what they lead to.

    Args:
        st: The module ``streamlit``, an extra.
        explorer: Of the run.
    """

    def __init__(self, st: Any, explorer: Explorer) -> None:
        self.st, self.explorer = st, explorer
        self.picture: Any = None
        self.command: Any = None
        self.file = b""
        self.drawn = False  # whether all of the page is there, so that parts of it may change
        st.session_state.setdefault(MOVED, ())

    def show(self) -> None:
        """Draw the page."""
        st, spec = self.st, self.explorer.stored.spec
        st.set_page_config(page_title=f"{spec.run_id} - scgan", layout="wide")
        if self.explorer.takes_images:
            samples, real = st.tabs(["Samples", "A real image"])
            self.picture, self.command = self.places(samples, "samples.png")
            with real:
                st.fragment(self.reading)()
        else:
            self.columns()
            self.picture, self.command = self.places(st.container(), "picture.png")

        with st.sidebar:
            st.markdown(f"**{spec.system}** on **{spec.data.source}**  \n`{spec.run_id}`")
            self.controls()
        self.draw()
        self.drawn = True

    def places(self, parent: Any, name: str) -> tuple[Any, Any]:
        """Where the picture and the command will be, and a button that saves the picture."""
        with parent:
            picture, command = self.st.empty(), self.st.empty()
            button = {"mime": "image/png", "on_click": "ignore"}
            self.st.download_button("Save this picture", self.saved, name, **button)
        return picture, command

    def controls(self) -> None:
        """The number, the seed and every option of the model."""
        state = self.st.session_state
        plain = [o for o in self.explorer.options if not isinstance(o, Amounts)]
        state.setdefault("num", 16 if self.explorer.takes_images else 2_000)
        state.setdefault("seed", 0)

        self.part(lambda: self.plain(plain))
        for option in self.explorer.options:
            if isinstance(option, Amounts):
                for number, (title, names) in enumerate(_groups(option).items()):
                    self.part(functools.partial(self.amounts, option, title, names, number == 0))

        self.st.button("Let all be drawn again", on_click=self.reset)

    def part(self, controls: Callable[[], None]) -> None:
        """Controls of which a change draws the picture anew, and nothing else of the page."""

        def shown() -> None:
            controls()
            if self.drawn:
                self.draw()

        self.st.fragment(shown)()

    def plain(self, options: Sequence[Option]) -> None:
        """The number, the seed, and options that are no amounts."""
        st = self.st
        if self.explorer.takes_images:
            st.slider("images", 1, 64, key="num")
        else:
            st.slider("rows", 500, 20_000, step=500, key="num")

        st.number_input("seed", 0, SEED_MAX, key="seed")
        for option in options:
            words = {"key": option.name, "help": option.meaning}
            if isinstance(option, OneOf):
                st.selectbox(option.name, [None, *option.choices], format_func=_said, **words)
            elif isinstance(option, WholeNumber) and option.below <= NUM_STEPS:
                every = [None, *range(option.below)]
                st.select_slider(option.name, every, format_func=_said, **words)
            else:
                st.text_input(option.name, **words)

    def amounts(self, option: Amounts, title: str, names: Sequence[str], expanded: bool) -> None:
        """A slider for each name."""
        st, step = self.st, (option.high - option.low) / 100
        with st.expander(title, expanded=expanded):
            for name in names:
                key = _key(option, name)
                st.session_state.setdefault(key, 0.0)
                words = {"key": key, "on_change": self.move, "args": (key,)}
                st.slider(name, option.low, option.high, step=step, **words)

    def move(self, key: str) -> None:
        """Remember that a slider was moved."""
        self.st.session_state[MOVED] = (*self.st.session_state[MOVED], key)

    def reset(self) -> None:
        """Bring every control of an option back to where nothing is chosen."""
        state = self.st.session_state
        for key in state[MOVED]:
            state[key] = 0.0
        state[MOVED] = ()
        for option in self.explorer.options:
            if not isinstance(option, Amounts):
                state[option.name] = None if isinstance(option, OneOf | WholeNumber) else ""

    def view(self) -> View:
        """What the controls say."""
        state = self.st.session_state
        chosen = [(option.name, self.chosen(option)) for option in self.explorer.options]
        given = tuple((name, text) for name, text in chosen if text)
        return View(state["num"], state["seed"], given)

    def chosen(self, option: Option) -> str:
        """What is chosen of an option, as the command takes it; no text for nothing."""
        state = self.st.session_state
        if isinstance(option, Amounts):
            moved = [name for name in option.names if _key(option, name) in state[MOVED]]
            return ",".join(f"{name}={state[_key(option, name)]:g}" for name in moved)
        value = state.get(option.name)
        return "" if value is None else str(value)

    def draw(self) -> None:
        """The picture and the command, by what the controls say now."""
        view = self.view()
        try:
            self.file, shown = self.pictures(view)
        except ValueError as error:
            self.picture.error(str(error))
            return
        self.picture.image(shown, output_format="PNG")
        self.command.code(self.explorer.command(view), language=None, wrap_lines=True)

    def pictures(self, view: View) -> tuple[bytes, bytes]:
        """The picture as it is saved, and as it is shown."""
        if self.explorer.takes_images:
            return self.explorer.grid(view)
        state = self.st.session_state
        shown = self.explorer.picture(self.explorer.rows(view), state["across"], state["up"])
        return shown, shown

    def saved(self) -> bytes:
        """The picture that is shown, asked for when the button is pressed."""
        return self.file

    def columns(self) -> None:
        """The pair of columns of a table that is drawn."""
        st, schema = self.st, self.explorer.stored.schema
        names, sides = list(schema.names), st.columns(2)
        sides[0].selectbox("across", names, key="across")
        sides[1].selectbox("up", names, index=min(1, len(names) - 1), key="up")
        if not self.explorer.real_rows:
            st.caption("The data can't be read any more: samples alone.")

    def reading(self) -> None:
        """A real image in; its attributes and the nearest samples out."""
        st = self.st
        file = st.file_uploader("A real image", key="file")
        if file is None:
            st.caption("Its attributes, and the samples that are most like it, are found.")
            return

        try:
            found = self.explorer.find(file.getvalue(), self.view())
        except ValueError as error:
            st.error(str(error))
            return

        left, right = st.columns([1, 3])
        left.image(enlarged(found.image), caption="as the model sees it")
        most = sorted(found.degrees.items(), key=lambda pair: -pair[1])[:NUM_SLIDERS]
        for name, degree in most:
            right.progress(min(1.0, degree), text=f"{name}: {degree:.2f}")

        st.button("Look again, by the choices at the side as they are now")
        st.caption("The nearest samples")
        numbers = [f"sample {place + 1}" for place in found.places]
        st.image([enlarged(image) for image in found.nearest], caption=numbers, width=140)


def _key(option: Option, name: str) -> str:
    """Of a slider's state."""
    return f"{option.name} {name}"


def _said(choice: Any) -> str:
    return "not chosen" if choice is None else str(choice)


def _groups(option: Amounts) -> dict[str, Sequence[str]]:
    """Names by the title of the part that is folded with them."""
    if isinstance(option, Coefficients):
        layers: dict[str, list[str]] = {}
        for name in option.names:
            layers.setdefault(f"noise, layer {name.partition('.')[0]}", []).append(name)
        return dict(layers)

    first, rest = option.names[:NUM_SLIDERS], option.names[NUM_SLIDERS:]
    return {option.name: first} | ({f"more {option.name}": rest} if rest else {})


def main() -> None:
    """Draw the page of the run that the command line names."""
    import streamlit

    Page(streamlit, opened(sys.argv[1], sys.argv[2])).show()


if __name__ == "__main__":
    main()
