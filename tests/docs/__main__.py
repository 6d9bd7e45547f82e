"""`make docs`: write the references that are made from the settings and from the command line."""

from tests.docs.reference import write

if __name__ == "__main__":
    write()
