"""Checks the documentation against the project: links resolve, named commands exist, both READMEs agree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"\bstorewise ([a-z][a-z-]+)\b")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.S)


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [t for t in targets if not t.startswith(("http://", "https://", "mailto:"))]
    return [
        f"{page.relative_to(ROOT)}: link to {t} leads nowhere"
        for t in local
        if not (page.parent / t).exists()
    ]


def named_commands(page: Path) -> set[str]:
    """Commands of the storewise program that a page names in code."""
    code = "\n".join(CODE.findall(page.read_text(encoding="utf-8")))
    return set(COMMAND.findall(code))


def known_commands() -> set[str]:
    """Commands as the program itself lists them."""
    program = Path(sys.executable).with_name("storewise")
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^[\s│|]+([a-z][a-z-]+)\s", text, re.M))


def main() -> int:
    pages = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    problems = [problem for page in pages for problem in broken_links(page)]
    known = known_commands()
    for page in pages:
        unknown = named_commands(page) - known
        problems += [
            f"{page.relative_to(ROOT)}: there is no command 'storewise {name}'" for name in sorted(unknown)
        ]
    english, chinese = (named_commands(ROOT / name) for name in ("README.md", "README.zh-CN.md"))
    if english != chinese:
        problems.append(f"README.md and README.zh-CN.md name different commands: {sorted(english ^ chinese)}")
    print("\n".join(problems) or f"docs: {len(pages)} pages, links and commands are right")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
