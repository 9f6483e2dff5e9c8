"""Run the command line with `python -m artrestore`."""

from artrestore.cli.app import main

if __name__ == "__main__":
    main()
