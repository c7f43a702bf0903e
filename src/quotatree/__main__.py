"""`python -m quotatree` is the command `quotatree`."""

from quotatree.cli.main import main

if __name__ == "__main__":
    main()
