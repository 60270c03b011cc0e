"""Render cards from templates: numbers are passed in, prose is in `cards/templates`.

Values are data: they are never read as a template, a missing one is an error, and the filters escape them for the
place where they stand. What would act in a reader's terminal or turn a line is shown as an escape.
"""

import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files

from friends_corpus.core.visible import visible

MARKDOWN = re.compile(r"([\\`*_\[\]|~])")  # what could start markup, or end a table cell: "*sighs* [x](y) | z"
FENCE = re.compile(r"`{3,}")  # "```"


def render(template_name: str, values: Mapping[str, object]) -> str:
    """Fill `values` into the template `cards/templates/<template_name>`.

    Raises jinja2.UndefinedError for a missing value.

    Filters for values: `cell` in a table or a sentence, `yaml` in the metadata block, `fenced` as a block of its own.
    """
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=lambda value: type(value)(visible(value)) if isinstance(value, str) else value,  # Markup stays it
    )
    environment.filters |= {"cell": cell, "yaml": yaml, "fenced": fenced}
    template = (files("cards") / "templates" / template_name).read_text(encoding="utf-8")
    return environment.from_string(template).render(dict(values))


def cell(value: object) -> str:
    r"""Return a value as literal text of one Markdown table cell; None is empty.

    >>> cell("Joey | <b>*hi*</b>\nRoss")
    'Joey \\| &lt;b&gt;\\*hi\\*&lt;/b&gt;<br>Ross'
    """
    if value is None:
        return ""
    text = MARKDOWN.sub(r"\\\1", html.escape(str(value), quote=False))
    return "<br>".join(text.splitlines())


def yaml(value: object) -> str:
    """Return a value as one YAML scalar or flow collection on one line (JSON is YAML).

    >>> yaml("The One: with a colon")
    '"The One: with a colon"'
    """
    return json.dumps(value, ensure_ascii=False)


def fenced(value: object) -> str:
    """Return a value as a fenced block that its own text cannot end.

    >>> print(fenced("Joey: hi"))
    ```text
    Joey: hi
    ```
    """
    text = str(value)
    fence = "`" * max([3, *(len(run) + 1 for run in FENCE.findall(text))])
    return f"{fence}text\n{text}\n{fence}"
