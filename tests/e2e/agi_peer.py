"""Plays Asterisk's side of FastAGI, line by line."""
import re
import socket


class AgiPeer:
    def __init__(self, port, script="caller-name", caller="1001", more=(), seconds=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.file = self.socket.makefile("rb")
        self.commands = []
        self.variables = {}
        self.lines = [("agi_network", "yes"), ("agi_network_script", script),
                      ("agi_request", f"agi://127.0.0.1:{port}/{script}"), ("agi_channel", "PJSIP/trunk-00000001"),
                      ("agi_language", "en"), ("agi_type", "PJSIP"), ("agi_uniqueid", "1700000000.1"), ("agi_version", "22.10.1"),
                      ("agi_callerid", caller), ("agi_calleridname", "unknown"), ("agi_callingpres", "0"), ("agi_dnid", "100"),
                      ("agi_context", "in"), ("agi_extension", "100"), ("agi_priority", "1"), ("agi_enhanced", "0.0"),
                      ("agi_accountcode", ""), ("agi_threadid", "1"), *more]

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def environment(self):
        for name, value in self.lines:  # Asterisk writes each line on its own
            self.send(f"{name}: {value}\n")
        self.send("\n")

    def command(self):
        """The next command line without its LF; None when the daemon closed."""
        line = self.file.readline()
        if not line:
            return None
        assert line.endswith(b"\n") and not line.endswith(b"\r\n"), line
        text = line[:-1].decode()
        self.commands.append(text)
        found = re.match(r'SET VARIABLE "?([^" ]+)"? "((?:[^"\\]|\\.)*)"$', text)
        if found:
            self.variables[found[1]] = re.sub(r"\\(.)", r"\1", found[2])
        found = re.match(r'EXEC MSet "(SIDETONE_STATUS=.*)"$', text)
        if found:
            self.variables.update(pair.split("=", 1) for pair in found[1].split(","))
        return text

    def answer_all(self, answers=None, default="200 result=1"):
        """Answers until the daemon closes. answers: {beginning of a command: reply}."""
        while (line := self.command()) is not None:
            reply = "200 result=0" if line.startswith("EXEC MSet ") else default
            for beginning, given in (answers or {}).items():
                if line.startswith(beginning):
                    reply = given
            if reply is not None:
                self.send(reply + "\n")
        return self.variables

    def close(self):
        self.file.close()
        self.socket.close()
