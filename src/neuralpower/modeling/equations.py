"""A model's equations for people: plain text, LaTeX and Python source."""

from __future__ import annotations

import re
from collections.abc import Sequence

from neuralpower.core.targets import UNITS
from neuralpower.modeling.members import LOG_LIMIT, MIDDLE, Anchor, Equation
from neuralpower.modeling.models import Model
from neuralpower.modeling.neighbours import Neighbours
from neuralpower.modeling.terms import Factor, Term, term_name


def to_text(model: Model, digits: int = 4) -> str:
    """The model as readable lines: the value, then each equation term by term."""
    unit = UNITS[model.target]
    lead = f"{model.target} ({unit})"
    if not model.parts:
        lines = _lines(lead, model.equations, model.anchor, "", digits)
        return "\n".join([*lines, *_guard_lines(model, digits)]) + "\n"
    exponents = [(model.source, model.exponent), *((p.source, p.exponent) for p in model.parts)]
    names = [f"p{i}" for i in range(1, len(exponents) + 1)]
    product = " x ".join(
        name if exponent == 1.0 else f"{name}^{exponent:.{digits}g}"
        for name, (_, exponent) in zip(names, exponents, strict=True)
    )
    lines = [f"{lead} = {product}"]
    wholes = [(model.source, model.equations, model.anchor)]
    wholes += [(part.source, part.equations, part.anchor) for part in model.parts]
    for name, (source, equations, anchor) in zip(names, wholes, strict=True):
        lines += _lines(f"{name} ({source})", equations, anchor, f"{name}.", digits)
    return "\n".join([*lines, *_guard_lines(model, digits)]) + "\n"


def _guard_lines(model: Model, digits: int) -> list[str]:
    """What a transferred model is kept within; the other devices' equations are in their models."""
    if model.guard is None:
        return []
    names = ", ".join(part.source for part in model.guard.parts)
    ends = f"[{model.guard.lowest:.{digits}g}, {model.guard.highest:.{digits}g}]"
    return [f"{model.target} within {ends} x the geometric mean of the models of {names}"]


def _lines(
    lead: str, equations: Sequence[Equation], anchor: Anchor, prefix: str, digits: int
) -> list[str]:
    names = [f"{prefix}f{i}" for i in range(1, len(equations) + 1)]
    bounds = f"[{anchor.lowest:.{digits}g}, {anchor.highest:.{digits}g}] x {prefix}anchor"
    parts = " + ".join(
        f"{e.weight * e.factor:.{digits}g} {name}"
        for e, name in zip(equations, names, strict=True)
        if e.weight
    )
    lines = [f"{lead} = {parts}, each f within {bounds}"]
    if len(names) > 2:
        scaled = ", ".join(
            f"{e.factor:.{digits}g} {name}" for e, name in zip(equations, names, strict=True)
        )
        lines.append(f"and within a factor of {MIDDLE:g} of the middle one of {scaled}")
    for name, equation in [
        *zip(names, equations, strict=True),
        (f"{prefix}anchor", anchor.equation),
    ]:
        body = _sum(equation, digits)
        if equation.neighbours is not None:
            body += f" + {_likeness(equation.neighbours, digits)}"
        body = f"exp({body})" if equation.link == "log" else body
        if equation.bend is not None:
            body = f"{equation.bend.text(digits)} of f = {body}"
        lines.append(f"{name} = {body}")
    return lines


def _likeness(neighbours: Neighbours, digits: int) -> str:
    """What measured layers add, in words."""
    places = ", ".join(
        f"{factor}/{length:.{digits}g}"
        for factor, length in zip(neighbours.coordinates, neighbours.lengths, strict=True)
    )
    return (
        f"sum over {len(neighbours.layers)} measured layers of weight (1 + d) exp(-d), "
        f"d = sqrt(3) x distance in ({places})"
    )


def _sum(equation: Equation, digits: int) -> str:
    text = ""
    for term, coefficient in zip(equation.terms, equation.coefficients, strict=True):
        sign = "-" if coefficient < 0 else "+"
        number = f"{abs(coefficient):.{digits}g}"
        part = number if not term else f"{number} {term_name(term)}"
        text += f" {sign} {part}" if text else (f"-{part}" if sign == "-" else part)
    return text or "0"


def to_latex(model: Model, digits: int = 4) -> str:
    """The model as a LaTeX ``align*`` environment."""
    name = f"\\mathrm{{{_escape(model.target)}}}"
    if not model.parts:
        lines = _latex_lines(name, "f", model.equations, digits)
    else:
        wholes = [(model.exponent, model.equations)]
        wholes += [(part.exponent, part.equations) for part in model.parts]
        product = "\\,".join(
            f"p_{{{i}}}^{{{exponent:.{digits}g}}}" for i, (exponent, _) in enumerate(wholes, 1)
        )
        lines = [f"{name} &= {product}"]
        for i, (_, equations) in enumerate(wholes, 1):
            lines += _latex_lines(f"p_{{{i}}}", f"f_{{{i}}}", equations, digits)
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}\n"


def _latex_lines(lead: str, letter: str, equations: Sequence[Equation], digits: int) -> list[str]:
    names = [
        f"{letter}_{{{i}}}" if letter == "f" else f"{letter[:-1]},{i}}}"
        for i in range(1, len(equations) + 1)
    ]
    parts = " + ".join(
        f"{_latex_number(e.weight * e.factor, digits)}\\,{name}"
        for e, name in zip(equations, names, strict=True)
        if e.weight
    )
    lines = [f"{lead} &= {parts}"]
    if len(equations) > 2:
        middle = ", ".join(
            f"{_latex_number(e.factor, digits)}\\,{name}"
            for e, name in zip(equations, names, strict=True)
        )
        lines.append(
            f"\\text{{each within a factor of {MIDDLE:g} of }} & "
            f"\\mathrm{{median}}\\left({middle}\\right)"
        )
    for name, equation in zip(names, equations, strict=True):
        body = " ".join(
            f"{'-' if c < 0 else '+'} {_latex_number(abs(c), digits)}{_latex_term(t)}"
            for t, c in zip(equation.terms, equation.coefficients, strict=True)
        )
        body = body.removeprefix("+ ")
        if equation.neighbours is not None:
            count = len(equation.neighbours.layers)
            body += f" + \\sum_{{j=1}}^{{{count}}} w_j\\,(1 + d_j)\\,e^{{-d_j}}"
        wrapped = f"\\exp\\left({body}\\right)" if equation.link == "log" else body
        if equation.bend is not None:
            sign = "-" if equation.bend.form.kind == "cap" else ""
            power = f"{sign}{equation.bend.form.sharpness:g}"
            level = _latex_number(equation.bend.level, digits)
            inside = f"{level}^{{{power}}} + \\left({wrapped}\\right)^{{{power}}}"
            wrapped = f"\\left({inside}\\right)^{{1/({power})}}"
        lines.append(f"{name} &= {wrapped}")
    return lines


def _escape(name: str) -> str:
    return name.replace("_", "\\_")


def _latex_number(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return mantissa if not exponent else f"{mantissa} \\cdot 10^{{{int(exponent)}}}"


def _latex_term(term: Term) -> str:
    return "".join(f"\\,{_latex_factor(factor)}" for factor in term)


def _latex_factor(factor: Factor) -> str:
    x, a = f"\\mathrm{{{_escape(factor.feature)}}}", f"{factor.argument:g}"
    if factor.function == "power":
        if factor.argument == 1.0:
            return x
        return f"\\sqrt{{{x}}}" if factor.argument == 0.5 else f"{x}^{{{a}}}"
    if factor.function == "log":
        power = "" if factor.argument == 1.0 else f"^{{{a}}}"
        return f"\\ln{power}\\left({x}\\right)"
    if factor.function == "above":
        return f"\\max\\left(0, \\ln {x} - {a}\\right)"
    if factor.function == "below":
        return f"\\max\\left(0, {a} - \\ln {x}\\right)"
    return f"\\left[{x} = {a}\\right]"


def to_python(model: Model) -> str:
    """The model as the source of a Python function of its features (plain floats, exact digits).

    The arguments are the features in ``neuralpower.modeling.features``; the source is for people
    to read and copy, this program never runs it.
    """
    wholes = [(model.exponent, model.equations, model.anchor)]
    wholes += [(part.exponent, part.equations, part.anchor) for part in model.parts]
    bounds = () if model.guard is None else model.guard.parts
    guards = [(part.exponent, part.equations, part.anchor) for part in bounds]
    every = [e for _, es, anchor in (*wholes, *guards) for e in (*es, anchor.equation)]
    features = sorted({f.feature for e in every for term in e.terms for f in term})
    name = re.sub(r"\W", "_", f"{model.family}_{model.target}")
    known = [e.neighbours for e in every if e.neighbours is not None]
    lines = [
        "from math import exp, log, sqrt" if known else "from math import exp, log",
        "from statistics import median",
        *_python_layers(known),
        "",
        "",
        f"def {name}({', '.join(features)}):",
        f'    """{model.family}: {model.target}; {model.candidate}."""',
    ]
    if model.parts or model.guard:
        lines += [*_python_product("product", wholes, known)]
        if model.guard is not None:
            low, high = model.guard.lowest, model.guard.highest
            lines += _python_product("bound", guards, known)
            lines.append(f"    product = min(max(product, {low!r} * bound), {high!r} * bound)")
        return "\n".join([*lines, "    return product", ""])
    _, equations, anchor = wholes[0]
    return "\n".join([*lines, *_python_lines(equations, anchor, known), "    return total", ""])


def _python_product(
    name: str,
    wholes: Sequence[tuple[float, Sequence[Equation], Anchor]],
    known: Sequence[Neighbours],
) -> list[str]:
    lines = [f"    {name} = 1.0"]
    for exponent, equations, anchor in wholes:
        lines += [*_python_lines(equations, anchor, known), f"    {name} *= total**{exponent!r}"]
    return lines


def _python_lines(
    equations: Sequence[Equation], anchor: Anchor, known: Sequence[Neighbours]
) -> list[str]:
    lines = [
        f"    anchor = {_python_value(anchor.equation, known)}",
        f"    low, high = {anchor.lowest!r} * anchor, {anchor.highest!r} * anchor",
        "    parts = []",
    ]
    for equation in equations:
        body = _python_value(equation, known)
        pair = f"({equation.weight!r}, {equation.factor!r} * min(max({body}, low), high))"
        lines.append(f"    parts.append({pair})")
    if len(equations) > 2:
        lines.append("    middle = median(value for _, value in parts)")
        near = f"min(max(value, middle / {MIDDLE}), middle * {MIDDLE})"
        lines.append(f"    parts = [(weight, {near}) for weight, value in parts]")
    lines.append("    total = sum(weight * value for weight, value in parts)")
    return lines


def _python_layers(known: Sequence[Neighbours]) -> list[str]:
    """Measured layers as tuples of weight and coordinates, and what they say of another layer."""
    if not known:
        return []
    lines = []
    for i, neighbours in enumerate(known, 1):
        lines += ["", f"MEASURED_{i} = ["]
        for weight, layer in zip(neighbours.weights, neighbours.layers, strict=True):
            places = (
                f"log({x!r})/{length!r}" if factor.function == "log" else f"{x!r}/{length!r}"
                for factor, length, x in zip(
                    neighbours.coordinates, neighbours.lengths, layer, strict=True
                )
            )
            lines.append(f"    ({weight!r}, {', '.join(places)}),")
        lines.append("]")
    return [
        *lines,
        "",
        "",
        "def said(layers, *place):",
        "    total = 0.0",
        "    for weight, *other in layers:",
        "        d = sqrt(3.0 * sum((a - b) ** 2 for a, b in zip(place, other, strict=True)))",
        "        total += weight * (1.0 + d) * exp(-d)",
        "    return total",
    ]


def _python_said(neighbours: Neighbours, number: int) -> str:
    places = (
        f"{_python_factor(factor)}/{length!r}"
        for factor, length in zip(neighbours.coordinates, neighbours.lengths, strict=True)
    )
    return f"said(MEASURED_{number}, {', '.join(places)})"


def _python_value(equation: Equation, known: Sequence[Neighbours]) -> str:
    body = _python_sum(equation)
    if equation.neighbours is not None:
        number = 1 + [id(one) for one in known].index(id(equation.neighbours))
        body = f"({body} + {_python_said(equation.neighbours, number)})"
    if equation.link == "log":
        body = f"exp(min(max({body}, -{LOG_LIMIT}), {LOG_LIMIT}))"
    if equation.bend is not None:
        power, level = equation.bend.form.sharpness, repr(equation.bend.level)
        power = -power if equation.bend.form.kind == "cap" else power
        ratio = f"min(max({body}/{level}, 1e-9), 1e9)"
        body = f"{level}*(1.0 + {ratio}**{power!r})**(1/{power!r})"
    return body


def _python_sum(equation: Equation) -> str:
    parts = [
        "*".join([repr(c), *(_python_factor(f) for f in term)])
        for term, c in zip(equation.terms, equation.coefficients, strict=True)
    ]
    return "(" + " + ".join(parts or ["0.0"]) + ")"


def _python_factor(factor: Factor) -> str:
    x, a = factor.feature, repr(factor.argument)
    forms = {
        "power": x if factor.argument == 1.0 else f"{x}**{a}",
        "log": f"log({x})" if factor.argument == 1.0 else f"log({x})**{a}",
        "above": f"max(0.0, log({x}) - {a})",
        "below": f"max(0.0, {a} - log({x}))",
        "equals": f"float({x} == {a})",
    }
    return forms[factor.function]
