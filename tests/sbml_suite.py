"""Cases of the SBML test suite, rebuilt from their descriptions, with some rows of its results.

Source: https://github.com/sbmlteam/sbml-test-suite, cases/semantic; the numbers are its authors'.
All have one compartment ``c`` unless said; results are amounts, to a relative 1e-4.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """Amounts at the start, constants, reactions with their laws, and rows of the results."""

    start: dict[str, float]
    constants: dict[str, float]
    reactions: tuple[tuple[str, str], ...]
    results: dict[float, tuple[float, ...]]
    size: float = 1.0
    held: tuple[str, ...] = ()
    amounts: bool = False
    local: bool = False  # each law has a constant k of its own
    function: str = ""
    other: dict[str, str] = field(default_factory=dict)  # what lies in a second compartment d


def _numbers(text):
    return tuple(float(x) for x in text.split(","))


CASES = {
    "00004": Case(
        {"S1": 0.15, "S2": 0.0},
        {"k1": 0.35, "k2": 180},
        (("S1 -> 2 S2", "c * k1 * S1"), ("2 S2 -> S1", "c * k2 * pow(S2, 2)")),
        {
            0.2: _numbers("0.1429760887550795,0.01404782248984108"),
            1.0: _numbers("0.141700544848195,0.01659891030361024"),
            10.0: _numbers("0.1417004714810643,0.01659905703787157"),
        },
    ),
    "00008": Case(
        {"S1": 1.5e-15, "S2": 1.5e-15},
        {"k1": 0.5, "k2": 0.25},
        (("S1 -> S2", "k1 * S1 * c"), ("S2 -> S1", "k2 * S2 * c")),
        {0.2: (1.42863e-15, 1.5e-15), 5.0: (8.11564e-16, 1.5e-15), 10.0: (7.55053e-16, 1.5e-15)},
        held=("S2",),
    ),
    "00010": Case(
        {"S1": 1e-4, "S2": 2e-4, "S3": 1e-4},
        {"k1": 3.5, "k2": 1.5},
        (("S1 + S2 -> S3", "k1 * S1 * S2 * c"), ("S3 -> S1 + S2", "k2 * S3 * c")),
        {
            0.1: _numbers("0.0001139219668511557,0.0002139219668511558,0.00008607803314884429"),
            2.5: _numbers("0.0001975213921965914,0.0002975213921965916,2.478607803408781e-6"),
            5.0: _numbers("0.0001998054001596749,0.0002998054001596753,1.945998403252452e-7"),
        },
    ),
    "00014": Case(
        {"S1": 1e-4, "S2": 2e-4, "S3": 1e-4},
        {"k1": 1e4, "k2": 0.25},
        (("2 S1 + S2 -> S3", "c * k1 * S1^2 * S2"), ("S3 -> 2 S1 + S2", "c * k2 * S3")),
        {
            0.4: _numbers("0.0001190136286651481,0.0002095068143325741,0.0000904931856674259"),
            10.0: _numbers("0.0002822200758864657,0.0002911100379432327,8.889962056767134e-6"),
            20.0: _numbers("0.0002966478058352696,0.0002983239029176344,1.67609708236524e-6"),
        },
    ),
    "00015": Case(
        {"S1": 1e-3, "S2": 1e-3, "S3": 2e-3, "S4": 1e-3},
        {"k1": 750.0, "k2": 250.0},
        (("S1 + S2 -> S3 + S4", "k1 * S1 * S2 * c"), ("S3 + S4 -> S1 + S2", "k2 * S3 * S4 * c")),
        {
            0.05: (*[0.0009881763185936637] * 2, 0.002011823681406335, 0.001011823681406336),
            1.0: (*[0.0008991576080333725] * 2, 0.002100842391966626, 0.001100842391966628),
            2.5: (*[0.0008865335160035233] * 2, 0.002113466483996474, 0.001113466483996477),
        },
    ),
    "00020": Case(
        {"S1": 0.01, "S2": 0.0, "S3": 0.0, "S4": 0.0},
        {"k1": 0.7, "k2": 0.5, "k3": 1.0},
        (("S1 -> S2", "k1 * S1 * c"), ("S2 -> S3", "k2 * S2 * c"), ("S3 -> S4", "k3 * S3 * c")),
        {
            0.24: _numbers(
                "0.008453538346846506,0.001454831071137629,0.00008455835338141203,"
                "7.072228634439726e-6"
            ),
            6.0: _numbers(
                "0.0001499557682133135,0.001217702204140667,0.0009256429624612923,"
                "0.007706699065184726"
            ),
            12.0: _numbers(
                "2.248673242193545e-6,0.00007888596983770683,0.0000737824305610546,"
                "0.009845082926359039"
            ),
        },
    ),
    "00022": Case(
        {"S1": 1.5e-3, "S2": 0.0},
        {"k1": 0.35, "k2": 180},
        (("S1 -> 0.3 S2", "k1 * S1 * c"), ("0.7 S2 -> S1", "k2 * S2 * c")),
        {
            1.0: _numbers("0.00122692341811822,1.024059859814996e-006"),
            5.0: _numbers("0.0005518177136525919,4.605873221007581e-007"),
            10.0: _numbers("0.0002032442893498761,1.696507648502231e-007"),
        },
        size=0.3,
    ),
    "00024": Case(
        {"S1": 1e-15, "S2": 2e-15, "S3": 0.0, "S4": 0.0},
        {"k1": 0.75, "k2": 0.25, "k3": 0.15, "k4": 0.1},
        (
            ("S1 -> S2", "k1 * S1 * c"),
            ("S2 -> S1", "k2 * S2 * c"),
            ("S2 -> S3 + S4", "k3 * S2 * c"),
            ("S3 + S4 -> S2", "k4 * S3 * S4 * c"),
        ),
        {
            0.5: _numbers("8.93691e-016,1.9577e-015,0,1.48609e-016"),
            10.0: _numbers("2.88071e-016,7.39794e-016,0,1.97213e-015"),
            25.0: _numbers("5.7041e-017,1.4649e-016,0,2.79647e-015"),
        },
        held=("S3",),
    ),
    "00054": Case(
        {"S1": 1.0, "S2": 1.0, "S3": 0.0},
        {"k1": 0.75, "k2": 0.25},
        (("S1 + S2 -> 2 S2", "k1 * S1 * S2 * c"), ("S2 -> S3", "k2 * (S2 - S3) * d")),
        {
            0.2: _numbers("0.8545116421896971,1.094349434867706,0.0511389229425955"),
            5.0: _numbers("0.009458953234124847,1.114265150960945,0.8762758958049286"),
            10.0: _numbers("0.0001885641619698101,1.010470924334414,0.9893405115036146"),
        },
        other={"S3": "d"},
    ),
    "00057": Case(
        {"S1": 3e-4, "S2": 0.0, "S3": 0.0},
        {"k1": 1.0, "k2": 2.0},
        (("S1 -> S2", "k * S1 * c"), ("S2 -> S3", "k * S2 * c")),
        {
            0.1: _numbers("0.0002714512254107643,0.00002583199948770478,2.71677510153098e-6"),
            2.5: _numbers("0.00002462549958700959,0.00002260411548697108,0.0002527703849260189"),
            5.0: _numbers("2.021384099844981e-6,2.007764120863613e-6,0.0002959708517792916"),
        },
        local=True,
    ),
    "00060": Case(
        {"S1": 1.5e-3, "S2": 0.0},
        {"k1": 1.5},
        (("S1 -> S2", "k1 * S1"),),
        {
            0.07: _numbers("0.001350486783627322,0.0001495132163726771"),
            1.05: _numbers("0.0003105113013980686,0.00118948869860193"),
            3.5: _numbers("7.87127759882431e-6,0.001492128722401175"),
        },
        amounts=True,
    ),
    "00114": Case(
        {"S1": 0.01, "S2": 0.02, "S3": 0.01},
        {"k1": 1.7, "k2": 0.3},
        (("S1 + S2 -> S3", "k1 * multiply(S1, S2)"), ("S3 -> S1 + S2", "k2 * S3")),
        {
            0.3: _numbers("0.0107573245263036,0.0207573245263036,0.009242675473696393"),
            7.5: _numbers("0.01686825256927799,0.02686825256927794,0.003131747430722018"),
            15.0: _numbers("0.01729197227942947,0.02729197227942942,0.002708027720570544"),
        },
        amounts=True,
        function="multiply",
    ),
}


def sides(reaction):
    """Split a reaction into pairs of a count and a name."""
    for side in reaction.split("->"):
        terms = (term.split() for term in side.split("+"))
        yield [(term[0] if len(term) == 2 else "1", term[-1]) for term in terms]


def level1(case, version="2"):
    """Write a case as SBML of level 1."""
    word = "species" if version == "2" else "specie"
    lines = [f'<sbml level="1" version="{version}"><model name="case"><listOfCompartments>']
    lines += [f'<compartment name="c" volume="{case.size}"/><compartment name="d"/>']
    lines += ["</listOfCompartments><listOfSpecies>"]
    for name, amount in case.start.items():
        held = ' boundaryCondition="true"' if name in case.held else ""
        where = case.other.get(name, "c")
        lines.append(
            f'<{word} name="{name}" compartment="{where}" initialAmount="{amount}"{held}/>'
        )
    lines.append("</listOfSpecies><listOfParameters>")
    if not case.local:
        lines += [f'<parameter name="{k}" value="{v}"/>' for k, v in case.constants.items()]
    lines.append("</listOfParameters><listOfReactions>")
    for i, (reaction, law) in enumerate(case.reactions, 1):
        lines.append(f'<reaction name="r{i}" reversible="false">')
        for kind, side in zip(("Reactants", "Products"), sides(reaction), strict=True):
            lines.append(f"<listOf{kind}>")
            for count, name in side:
                tenths = f'stoichiometry="{round(10 * float(count))}" denominator="10"'
                usual = f'stoichiometry="{count}"'
                text = tenths if "." in count else usual
                lines.append(f'<{word}Reference {word}="{name}" {text}/>')
            lines.append(f"</listOf{kind}>")
        lines.append(f'<kineticLaw formula="{law}">')
        if case.local:
            value = list(case.constants.values())[i - 1]
            lines.append(
                f'<listOfParameters><parameter name="k" value="{value}"/></listOfParameters>'
            )
        lines.append("</kineticLaw></reaction>")
    return "\n".join([*lines, "</listOfReactions></model></sbml>"])


def antimony(case):
    """Write a case as Antimony, of which its own library makes SBML of level 3."""
    lines = [f"function {case.function}(x, y) x * y; end"] if case.function else []
    lines += ["model case1", f"compartment c = {case.size}; compartment d = 1;"]
    for name, amount in case.start.items():
        kind = "substanceOnly species" if case.amounts else "species"
        held = "$" if name in case.held else ""
        where = case.other.get(name, "c")
        lines.append(f"{kind} {held}{name} in {where}; {name} = {amount / case.size};")
    lines += [f"{name} = {value};" for name, value in case.constants.items()]
    for i, (reaction, law) in enumerate(case.reactions, 1):
        own = law.replace("k *", f"k{i} *") if case.local else law
        lines.append(f"r{i}: {reaction}; {own};")
    return "\n".join([*lines, "end"])
