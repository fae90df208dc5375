"""Run the program: `python -m opstool` is the same as `opstool`."""

from opstool.cli.main import run

if __name__ == "__main__":
    run()
