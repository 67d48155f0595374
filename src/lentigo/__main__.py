"""`python -m lentigo` is the command `lentigo`."""

from lentigo.cli import main

if __name__ == "__main__":
    main()
