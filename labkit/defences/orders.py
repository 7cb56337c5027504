"""Sentences that give a model orders where a description should be: patterns over text, written down one by one.

Each is taken from a published attack or from a variation of one. They are matched without regard to capitals, on the
text as it came and on its plain form (`labkit.defences.descriptions.plain`). Repeats are bounded, or begin in few
places: the texts come from strangers, and must not make the search slow.
"""

from __future__ import annotations

import re

_USER = r"(?:the |this |your )?(?:end )?(?:user|human|person|operator|customer)s?"
_SECRETS = (
    r"api[ _-]?keys?|passwords?|access tokens?|credentials|private keys?|ssh keys?|environment variables|secrets"
    r"|(?:conversation|chat)(?: history| log)?|system prompt"
)
_FILES = r"/\.ssh\b|\bid_(?:rsa|ed25519)\b|\.aws/credentials|/etc/(?:passwd|shadow)|\.cursor/mcp|\.netrc\b|\.npmrc\b"

INSTRUCTIONS = (
    # Against what the model was told before.
    r"(?:ignore|disregard|forget|override),? (?:all |any |the |your |my |of )*"
    r"(?:previous|prior|other|earlier|above|system)"
    r" (?:\w+ )?(?:instructions?|rules|prompts?|messages|guidelines|requests)",
    r"(?:ignore|disregard|forget) (?:everything|anything|all)(?: that| of what)? (?:you |was |were |has )",
    r"\b(?:your )?new (?:instructions|orders|rules) (?:are|is)?:",
    r"you are (?:now|no longer) (?:a|an|the|in|bound)\b",
    r"(?:reveal|repeat|print|output|include|send) (?:me )?your (?:system |hidden |initial )?(?:prompt|instructions)",
    # Marks that make text look like the host's.
    r"<\s{0,4}/?\s{0,4}(?:important|system|secret|instructions?|admin|critical)\s{0,4}>",
    r"<\|\w+\|>|\[/?inst\]|<</?sys>>",
    r"^[ \t]{0,8}#{1,6} ?(?:system|instructions?)(?: message)? ?:|\[(?:system|admin)(?: \w+)?\] ?:?",
    r"\b(?:note|message|instructions?|attention)(?: to| for)? (?:the |all |any )?"
    r"(?:ai|llms?|language model|assistant|agent)(?: (?:assistant|agent|model))?s?(?=\s{0,4}[:!\])>])",
    # Behind the user's back.
    rf"(?:do(?:n't| not)|never) (?:ever )?(?:tell|mention|inform|show|reveal|notify|alert|ask|bother)"
    rf"(?: \w+){{0,4}} (?:to )?{_USER}\b",
    rf"without (?:ever )?(?:telling|informing|asking|notifying|alerting) {_USER}\b",
    rf"{_USER} (?:must|should|need|does|may|can)(?: not|n't)"
    r" (?:be told|know|see|notice|be informed|be asked|need to know)",
    rf"(?:hide|conceal|keep) (?:this|it|that)(?: \w+)? (?:from {_USER}|secret|to yourself|between us)",
    r"\b(?:silently|secretly|quietly) (?:\w+ )?(?:call|send|read|copy|forward|include|run|upload|add|pass|use)\b",
    # Order and precedence of tools.
    r"(?:before|after|when|whenever) (?:you )?(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?)"
    r" (?:this|any(?: other)?|the|every) tools?,? (?:please |also |always |first |you must )*"
    r"(?:read|send|call|open|fetch|upload|forward|cat|collect|run|execute)\b",
    r"you must (?:always |first |also |never )*(?:call|use|read|send|include|pass|run|invoke|add|set)\b",
    r"\b(?:always|must) (?:be )?(?:call|invoke|use|run)(?:ed)? (?:this|it) (?:tool |one )?"
    r"(?:first|before (?:any|every|all))",
    r"\bmust be (?:called|used|run|invoked) (?:first|before (?:any|every|all|other))",
    r"\b(?:never|do not|don't) (?:ever )?(?:use|call) (?:the |any )?other tools?\b",
    r"(?:this tool|it) (?:replaces|supersedes|overrides) (?:the |all |any )?(?:[\w-]+ )?(?:other|tool|version)",
    # What leaves.
    rf"(?:{_FILES})",
    r"(?:read|send|include|pass|open|cat|upload)\b[^.]{0,60}(?:\.env\b|mcp\.json\b|credentials\.json\b)",
    rf"(?:send|include|pass|append|attach|forward|copy|put|upload|post|add|share|collect)"
    rf" (?:[\w',]+ ){{0,6}}?(?:{_SECRETS})\b"
    r"[^.]{0,40}\b(?:to|as|in|into|with|at)\b",
    r"(?:all|any|other|every) (?:e-?mails?|messages?|files|data) (?:must|should|ha(?:s|ve) to)"
    r" (?:also )?(?:be )?(?:sent|go|bcc)",
    r"\b(?:always|must|also|silently) (?:add |set |put )?(?:b?cc|forward|copy)\b[^.]{0,30}@",
    r"(?:set|change|replace|redirect)(?: \w+){0,4} (?:recipient|to|bcc|cc|destination|address)"
    r"[`'\"]?(?: \w+){0,3} (?:to|with|by) [`'\"]?[\w.+-]+@",
    r"!\[[^\]]{0,200}\]\(https?://[^)]{0,1000}(?:\{|\$|<|=$)",
    # The same in other languages.
    r"ignorier\w* (?:alle |die )*(?:vorherigen|bisherigen|anderen) (?:anweisungen|regeln)",
    r"(?:bevor du|vor der (?:nutzung|verwendung)) (?:dies\w+ )(?:tools?|werkzeugs?)\b[^.]{0,30}(?:lies|sende|rufe)",
    r"(?:sag|erwahn|verrat)\w* (?:es |dies |das )?dem (?:be)?nutzer n(?:icht|ichts)",
    r"ignore[rz]? (?:toutes )?les instructions precedentes|sans (?:en )?informer l'utilisateur",
    r"ignor[ae]r? (?:todas )?las instrucciones (?:anteriores|previas)|sin (?:decirselo|informar) al usuario",
)
INSTRUCTION = re.compile("|".join(f"(?:{each})" for each in INSTRUCTIONS), re.IGNORECASE | re.MULTILINE)
"""Any of them."""
