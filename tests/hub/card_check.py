"""What the Hub checks in a README's metadata before it takes the file: a small, real YAML check."""

from __future__ import annotations

import re
from typing import Any

import yaml

FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*$", re.S | re.M)  # "---\nlicense: mit\n---\n# Title"
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|multilingual|code")  # "en", "pt-BR"
LISTS_OR_STRINGS = ("tags", "language", "license", "datasets", "base_model", "metrics", "task_categories", "task_ids")
STRINGS = ("license_name", "license_link", "library_name", "pipeline_tag", "pretty_name", "base_model_relation")
LICENSES = set(  # as the Hub's documentation lists them
    """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
    lgpl lgpl-2.1 lgpl-3.0 isc intel-research lppl-1.3c ms-pl apple-ascl mpl-2.0 odc-by odbl openrail++ osl-3.0
    postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 llama3 gemma unknown other""".split()
)
RELATIONS = ("adapter", "finetune", "merge", "quantized")


def metadata(content: str) -> Any:
    """The YAML between the first two `---` lines, None without; YAMLError if it is none."""
    block = FRONT_MATTER.match(content)
    return yaml.safe_load(block[1]) if block else None


def check(content: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about a README.

    >>> check("---\\nlicense: mit\\nlanguage: EN\\n---\\n")[0]
    ['"language" with value "EN" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code']
    """
    try:
        data = metadata(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" ({mark.line + 2}:{mark.column + 1})" if mark else ""
        return [f"bad YAML: {getattr(error, 'problem', None) or 'cannot be read'}{where}"], []
    if not data:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(data, dict):
        return ["metadata must be a mapping of keys to values"], []
    errors = [f'"{key}" must be a string' for key in STRINGS if key in data and not isinstance(data[key], str)]
    for key in LISTS_OR_STRINGS:
        values = data.get(key, [])
        values = values if isinstance(values, list) else [values]
        if not all(isinstance(value, str) for value in values):
            errors.append(f'"{key}" must be a string or a list of strings')
        elif key == "language":
            errors += [
                f'"language" with value "{value}" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code'
                for value in values
                if not LANGUAGE.fullmatch(value)
            ]
        elif key == "license":
            errors += [f'"license" must be one of the known ones, not "{v}"' for v in values if v not in LICENSES]
    if data.get("base_model_relation", "adapter") not in RELATIONS:
        errors.append(f'"base_model_relation" must be one of [{", ".join(RELATIONS)}]')
    if "configs" in data:
        errors += _config_errors(data["configs"])
    return errors, []


def _config_errors(configs: Any) -> list[str]:
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        return ['"configs" must be an array of objects']
    names = [config.get("config_name") for config in configs]
    errors = [f'"configs[{i}].config_name" must be a string' for i, n in enumerate(names) if not isinstance(n, str)]
    if len(set(map(str, names))) < len(names):
        errors.append('"configs" must have unique config names')
    if sum(config.get("default") is True for config in configs) > 1:
        errors.append('"configs" must have at most one default config')
    return errors
