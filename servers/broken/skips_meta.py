"""Defect: it takes modern requests whose _meta lacks what every request must carry."""

from _plain import PREFIX, TEXT, Plain


class Lenient(Plain):
    """Fills in what is missing."""

    def check_version(self, method, params, modern):
        params.setdefault("_meta", {}).setdefault(f"{PREFIX}clientCapabilities", {})
        super().check_version(method, params, modern)


if __name__ == "__main__":
    Lenient({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
