"""Defect: reading a note after it was deleted ends the server: its name is still in the index, its text is not."""

from _plain import NOTHING, Plain

ID = {
    "type": "object",
    "properties": {"note": {"type": "string", "description": "As create_note answers it."}},
    "required": ["note"],
    "additionalProperties": False,
}


class Notes:
    """Notes in memory."""

    def __init__(self):
        self.index, self.texts = [], {}

    def create(self, arguments):
        """A new one."""
        name = f"note-{len(self.index)}"
        self.index.append(name)
        self.texts[name] = "empty"
        return name

    def read(self, arguments):
        """The text of one."""
        return self.texts[arguments["note"]] if arguments["note"] in self.index else "There is no such note."

    def delete(self, arguments):
        """Gone, but for the index."""
        return "deleted" if self.texts.pop(arguments["note"], None) else "There is no such note."


if __name__ == "__main__":
    notes = Notes()
    Plain(
        {"create_note": (NOTHING, notes.create), "read_note": (ID, notes.read), "delete_note": (ID, notes.delete)}
    ).run()
