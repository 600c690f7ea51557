"""A client's connection."""

import select
import socket

from envoys import PATIENCE


class Connection:
    """Connected. The upstream sends a line, and the same once more for each line that it gets."""

    def __init__(self, to):
        ip, port = to.rsplit(":", 1)
        self.socket = socket.create_connection((ip.strip("[]"), int(port)), timeout=PATIENCE)
        self.lines = self.socket.makefile()
        ip, port = self.socket.getsockname()[:2]
        self.own = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def answer(self):
        """A line, or nothing if the connection is closed instead."""
        try:
            return self.lines.readline().strip()
        except ConnectionResetError:
            return ""

    def ask_again(self):
        self.socket.sendall(b"\n")
        return self.answer()

    def has_ended(self):
        """Whether it was closed, where no line is on its way."""
        return bool(select.select([self.socket], [], [], 0)[0])
