"""``python -m storewise``: the same as the command ``storewise``."""

from storewise.cli import main

if __name__ == "__main__":
    main()
