"""The application: commands found by name, errors shown as what happened and what to do."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from storewise.core.errors import InputError, StorewiseError


class _Lazy(TyperGroup):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        from storewise.cli import COMMANDS

        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from storewise.cli import COMMANDS

        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        single = typer.Typer(add_completion=False, rich_markup_mode="rich")
        single.command(cmd_name)(getattr(import_module(module), function))
        return typer.main.get_command(single)


app = typer.Typer(
    cls=_Lazy,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)


@app.callback(help="Storewise: the engine that runs an online shop.")
def _storewise() -> None:
    return None


def main(arguments: list[str] | None = None) -> None:
    """Run a command line and exit: 0 done, 1 could not be done, 2 the input has to change first."""
    try:
        app(arguments)
    except StorewiseError as error:
        show(error)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def exit_code(error: StorewiseError) -> int:
    """2 when the caller must change something, else 1.

    >>> exit_code(InputError("n is 0.", next_step="Set n to 1."))
    2
    """
    return 2 if isinstance(error, InputError) else 1


def show(error: StorewiseError) -> None:
    """Print problem and next step to standard error, in full width so that paths can be copied."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True)
    console.print(Text(error.problem, style="bold red"))
    console.print(Text(error.next_step))
