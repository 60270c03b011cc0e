"""What secrets look like: publishers look for them in what leaves this machine, a log shows none."""

import os
import re

from .visible import masked

GAP = rb"(?:\s|\\[nrt]){1,20}"  # between words, also of a text in JSON: "\n"
A_DIGIT = rb"(?=[A-Za-z_-]{0,100}[0-9])"  # soon: not "desk-admin-and-other-words"
SECRETS = {  # what it is → its shape, wherever it stands: a letter before it says nothing. Made-up examples.
    "token of the Hub": rb"(?:hf|api_org)_[A-Za-z0-9]{30,}",  # "hf_" and 34 letters
    "key of AWS": rb"(?:A3T[A-Z0-9]|A[KS]IA|ABIA|ACCA)[A-Z0-9]{16}",  # "AKIA" and 16 capitals and digits
    "secret key of AWS": rb"(?i:(?:aws.{0,20}secret.{0,20}|secret_?(?:access_?)?key[\s\\'\"]{0,5})[=:][\s\\'\"]{0,5})"
    rb"[A-Za-z0-9/+]{40}",  # "SecretAccessKey": "aB3/…"
    "token of GitHub": rb"gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}",  # "ghp_" and 36 letters and digits
    "token of GitLab": rb"gl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}",  # "glpat-" and 20
    "key of Anthropic": rb"sk-ant-" + A_DIGIT + rb"[A-Za-z0-9_-]{20,}",  # "sk-ant-api03-…"
    "key of OpenAI": rb"sk-(?:(?:proj|svcacct|admin)-" + A_DIGIT + rb"[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{40,})",
    "token of Slack": rb"xox[a-z](?:\.xox[a-z])?-" + A_DIGIT + rb"[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",
    "webhook of Slack": rb"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}",
    "key of Google": rb"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{20,}",  # "AIza" and 35
    "token of Google": rb"ya29\.[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{60,}",  # "ya29.a0…"
    "token of a package index": rb"npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{30,}",
    "key of Stripe": rb"[sr]k_live_[A-Za-z0-9]{20,}",
    "private key": rb"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY|PuTTY-User-Key-File-[0-9]",
    "JSON web token": rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{10,}",  # "eyJhbGciOi….eyJzdWIiOi….…"
    "line of a netrc": rb"(?:machine%s[^\s\\]{1,200}|default)%s(?:login%s[^\s\\]{1,200}%s(?:account%s[^\s\\]{1,200}%s)?"
    rb"password|password%s[^\s\\]{1,200}%slogin)%s[^\s\\]" % ((GAP,) * 9),  # "machine a.org login ana password x"
    "address with a password": rb"[A-Za-z]:(?:\\{0,4}/){2}[^\s/?#:@'\"<>\\]{0,100}:[^\s/?#@'\"<>\\]{1,200}@[\w\[]",  # "https://ana:x@a.org"
}
SHAPES = {what: re.compile(shape) for what, shape in SECRETS.items()}
KEY_BLOCK = rb"(?s:-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY.*?(?:-----END|$))"
OWN = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY")  # in the name of a variable whose value is nobody's business


def concealed(text: str) -> str:
    """Return the text without secrets: of these shapes, of an address, or of this process's environment.

    >>> concealed("403 for hf_" + "a" * 34)
    '403 for ***'
    """
    for name, value in os.environ.items():
        if OWN.search(name.upper()) and len(value) >= 8:
            text = text.replace(value, "***")
    data = masked(text).encode(errors="backslashreplace")
    for shape in (KEY_BLOCK, *SECRETS.values()):
        data = re.sub(rb"(?:%s)[^\s'\"\\]*" % shape, b"***", data)
    return data.decode(errors="replace")
