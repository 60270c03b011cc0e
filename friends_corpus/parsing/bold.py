"""Find the bold characters of a printed line."""

from friends_corpus.core.model import Block

from .brackets import match_brackets


def bold_mask(block: Block) -> bytes:
    """Return one byte for each character of the block's text: 1 where it is bold."""
    return b"".join([(b"\1" if run.bold else b"\0") * len(run.text) for run in block.runs])


def bold_starts(block: Block) -> list[int]:
    """Return where bold runs start in the text of a block, blanks skipped."""
    starts, offset = [], 0
    for run in block.runs:
        if run.bold:
            starts.append(offset + len(run.text) - len(run.text.lstrip()))
        offset += len(run.text)
    return starts


def bold_share(text: str, bold: bytes, start: int, end: int) -> float:
    """Return the share of bold letters between two positions, directions aside: "**Joey** (to Ross)" is 1.0."""
    weights = bold[start:end]
    if 1 not in weights or 0 not in weights:
        return float(1 in weights)
    letters = bold_letters = 0
    offset = start
    for opener, closer in [*match_brackets(text[start:end]).items(), (end - start, end - start)]:
        for position in range(offset, start + opener):
            letters += text[position].isalnum()
            bold_letters += bold[position] and text[position].isalnum()
        offset = start + closer
    return bold_letters / letters if letters else 0.0
