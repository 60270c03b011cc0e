"""Config `named_lines`: the rows of `lines` with the speaker's name in front of the text: "Joey: Hi."."""

import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = ": "


def name_lines(lines: pa.Table) -> pa.Table:
    """Return the rows of `named_lines`: those of `lines` with names in front of their two texts.

    >>> columns = {"speaker": ["Joey and Ross"], "text": ["Hi."], "text_with_directions": ["(waving) Hi."]}
    >>> name_lines(pa.table(columns))["text_with_directions"].to_pylist()
    ['Joey and Ross: (waving) Hi.']
    """
    for column in ("text", "text_with_directions"):
        index = lines.schema.get_field_index(column)
        texts = pc.binary_join_element_wise(lines["speaker"], lines[column], SEPARATOR)
        lines = lines.set_column(index, lines.schema.field(index), texts)
    return lines


def named(speaker: str, text: str) -> str:
    """Return one turn as a line of a script.

    >>> named("Joey", "Hi.")
    'Joey: Hi.'
    """
    return f"{speaker}{SEPARATOR}{text}"
