"""Defect: the names of two tools differ in nothing but a letter that looks like another."""

from _plain import TEXT, Plain

if __name__ == "__main__":
    Plain(
        {
            "list_bills": (TEXT, lambda arguments: arguments["text"].upper()),
            "Iist_bills": (TEXT, lambda arguments: arguments["text"].lower()),
        }
    ).run()
