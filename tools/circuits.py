"""Draws the circuits of docs/HARDWARE.md: `python -m tools.circuits`. Black on white, one drawing a question, with the parts' values on them.

schemdraw (MIT) draws; `pip install -e '.[dev]'` has it. No meaning lies in colour: the drawings are printed and taken up a ladder.
"""

from __future__ import annotations

from pathlib import Path

import schemdraw
from schemdraw import elements as e
from schemdraw import logic

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def reader() -> schemdraw.Drawing:
    """A Wiegand reader's data wire down to 3.3 V: Schmitt triggers that bear 5 V, two in a row so that the sense stays."""
    d = _sheet()
    for row, (wire, pin) in enumerate((("D0 green", "GPIO17 (pin 11)"), ("D1 white", "GPIO27 (pin 13)"))):
        y = -6.2 * row
        start = d.add(e.Dot(open=True).at((0, y)).label(wire, "left"))
        d.add(e.Line().right(1.2).at(start.start))
        tap = d.add(e.Dot())
        d.add(e.Resistor().up(1.7).at(tap.start).label("1 kΩ", "top"))
        d.add(e.Vdd().label("5 V"))
        d.add(e.Zener().down(1.9).at(tap.start).reverse().label("TVS\nSMAJ5.0A", "bottom"))
        d.add(e.Ground())
        d.add(e.Line().right(0.8).at(tap.start))
        d.add(e.Resistor().right(2.2).label("1 kΩ"))
        d.add(logic.Not().right(2.4).label("Schmitt", "bottom"))
        d.add(logic.Not().right(2.4).label("Schmitt", "bottom"))
        d.add(e.Dot(open=True).label(pin, "right"))
        if row == 0:
            d.add(e.Label().at((6.6, y + 1.5)).label("74LVC14A at 3.3 V, 100 nF beside it"))
    ground = d.add(e.Dot(open=True).at((0, -9.9)).label("0 V black", "left"))
    d.add(e.Line().right(1.2).at(ground.start))
    d.add(e.Ground())
    d.add(e.Label().at((5.6, -10.0)).label("the reader's 0 V and the controller's are one"))
    return d


def relay() -> schemdraw.Drawing:
    """From pin to relay contact: pull-down, one-shot that each edge starts anew, opto-coupler, relay with its diode."""
    d = _sheet()
    d.add(e.Dot(open=True).label("GPIO22\n(pin 15)", "left"))
    d.add(e.Line().right(1.2))
    tap = d.add(e.Dot())
    d.add(e.Resistor().down(2.2).at(tap.start).label("10 kΩ", "bottom"))
    d.add(e.Ground())
    d.add(e.Line().right(1.2).at(tap.start))
    q = _one_shot(d)
    d.add(e.Resistor().right(2.2).at(q).label("560 Ω"))
    _coil(d)
    return d


def _one_shot(d: schemdraw.Drawing) -> tuple[float, float]:
    """Where Q comes out. The pin works on CLR: its rising edge starts, its low level ends (function table of the 74HC123)."""
    pins = [
        e.IcPin(name="CLR", side="left", anchorname="clr"),
        e.IcPin(name="Q", side="right", anchorname="q"),
        e.IcPin(name="A", side="bottom", anchorname="a"),
        e.IcPin(name="B", side="top", anchorname="b"),
        e.IcPin(name="C", side="top", anchorname="c"),
        e.IcPin(name="RC", side="top", anchorname="rc"),
    ]
    chip = d.add(e.Ic(pins=pins, size=(4.6, 3.0), label="74HC123\n(one half)").anchor("clr"))
    d.add(e.Line().up(0.5).at(chip.b))
    d.add(e.Vdd().label("3.3 V"))
    d.add(e.Line().up(0.7).at(chip.c))
    d.add(e.Capacitor().right().tox(chip.rc).label("33 µF"))
    joint = d.add(e.Dot())
    d.add(e.Line().down().toy(chip.rc).at(joint.start))
    d.add(e.Resistor().up(1.9).at(joint.start).label("1 MΩ: 0.45 · 1 MΩ · 33 µF = 15 s", "bottom"))
    d.add(e.Vdd().label("3.3 V"))
    d.add(e.Line().down(0.5).at(chip.a))
    d.add(e.Ground())
    out: tuple[float, float] = tuple(chip.q)
    return out


def _coil(d: schemdraw.Drawing) -> None:
    """Behind the opto-coupler everything belongs to the lock's own supply."""
    opto = d.add(e.Optocoupler(base=False).right().anchor("anode").label("SFH617A-3\nor PC817", "top"))
    d.add(e.Line().down(0.9).at(opto.cathode))
    d.add(e.Ground())
    d.add(e.Line().right(0.6).at(opto.collector))
    d.add(e.Resistor().up(2.4).label("2.2 kΩ", "top"))
    d.add(e.Vdd().label("12 V"))
    d.add(e.Line().right(2.0).at(opto.emitter))
    base = d.add(e.Dot())
    d.add(e.Resistor().down(2.0).label("10 kΩ", "bottom"))
    d.add(e.Ground(lead=False).label("0 V of the lock", "bottom"))
    d.add(e.Line().right(1.6).at(base.start))
    driver = d.add(e.BjtNpn().right().anchor("base").label("BC337", "right"))
    d.add(e.Line().down().toy((0, base.start[1] - 2.0)).at(driver.emitter))
    d.add(e.Ground(lead=False))
    d.add(e.Line().up(0.3).at(driver.collector))
    foot = d.add(e.Dot())
    coil = d.add(e.Inductor2(loops=4).up(2.4).label("relay 12 V\nFinder 40.31,\nOmron G5LE", "bottom"))
    d.add(e.Vdd().at(coil.end).label("12 V"))
    d.add(e.Line().left(1.2).at(foot.start))
    d.add(e.Diode().up(2.4).label("1N4007", "top"))
    d.add(e.Line().right().tox(coil.end))


def strike() -> schemdraw.Drawing:
    """A fail-secure strike: the relay gives it power, a diode takes the coil's kick."""
    d = _sheet()
    start = d.add(e.Dot(open=True).label("+12 V", "left"))
    d.add(e.Fuse().right().label("1 A"))
    d.add(e.Switch().right(3.0).label("relay, NO contact:\nclosed = open the door"))
    d.add(e.Line().right(1.2))
    tap = d.add(e.Dot())
    d.add(e.Line().right(2.6))
    d.add(e.Inductor2(loops=4).down(3.0).label("strike", "bottom"))
    end = d.add(e.Line().left(2.6))
    d.add(e.Dot())
    d.add(
        e.Diode().endpoints(end.end, tap.start).label("1N4007 at the strike\n(AC strike: instead\n100 Ω + 100 nF X2)", "bottom")
    )
    d.add(e.Line().left().tox(start.start).at(end.end))
    d.add(e.Dot(open=True).label("0 V", "left"))
    return d


def maglock() -> schemdraw.Drawing:
    """A maglock: fire relay, exit button and relay contact in one row, so that each alone lets it go."""
    d = _sheet()
    d.add(e.Dot(open=True).label("+12 V", "left"))
    d.add(e.Fuse().right(1.6).label("1 A"))
    d.add(e.Switch(action="open").right(3.0).label("fire relay\nNC, falls open"))
    d.add(e.Switch(action="open").right(3.0).label("exit button\n1st pole, NC"))
    d.add(e.Switch().right(3.0).label("relay, NO:\nclosed = held"))
    d.add(e.Line().right(0.8))
    tap = d.add(e.Dot())
    d.add(e.Line().right(2.4))
    d.add(e.Inductor2(loops=4).down(3.0).label("maglock", "bottom"))
    end = d.add(e.Line().left(2.4))
    d.add(e.Dot())
    d.add(e.Zener().endpoints(end.end, tap.start).label("TVS 1.5KE18A\nat the magnet", "bottom"))
    d.add(e.Line().left().tox(0).at(end.end))
    d.add(e.Dot(open=True).label("0 V", "left"))
    button = d.add(e.Dot(open=True).at((3.4, -5.4)).label("GPIO24 (pin 18)", "left"))
    d.add(e.Line().right(0.8).at(button.start))
    d.add(e.Button().right(3.0).label("exit button\n2nd pole, NO"))
    d.add(e.Line().right(0.8))
    d.add(e.Ground())
    d.add(e.Label().at((9.4, -5.4)).label("the software only hears of it", "right"))
    return d


def _sheet() -> schemdraw.Drawing:
    sheet = schemdraw.Drawing(show=False)
    sheet.config(fontsize=12, lw=1.6, font="DejaVu Sans", unit=2.4, bgcolor="white", margin=0.3)
    return sheet


DRAWINGS = {"reader": reader, "relay": relay, "strike": strike, "maglock": maglock}


def main() -> None:
    """Writes docs/pictures/circuit-NAME.svg for each drawing."""
    schemdraw.use("svg")
    for name, draw in DRAWINGS.items():
        draw().save(str(PICTURES / f"circuit-{name}.svg"))


if __name__ == "__main__":
    main()
