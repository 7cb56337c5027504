"""Defect: it goes on when its stdin has closed, as a server does whose worker threads are not daemons."""

import threading

from _plain import TEXT, Plain

if __name__ == "__main__":
    threading.Thread(target=threading.Event().wait).start()
    Plain({"shout": (TEXT, lambda arguments: arguments["text"].upper())}).run()
