"""``python -m codesign``: the command, where another program of that name comes first on PATH."""

from codesign.cli.main import run

if __name__ == "__main__":
    run()
