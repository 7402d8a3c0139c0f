"""A manager port for the daemon's tap: logs in whoever has the secret, lists channels, says what the test says. Plain or TLS."""
import hashlib
import os
import socket
import ssl
import subprocess
import threading
import time

from ports import stop_accepting


class Session:
    def __init__(self, home, connection):
        self.home = home
        self.connection = connection
        self.user = None
        self.lock = threading.Lock()

    def say(self, text):
        with self.lock:
            self.connection.sendall(text.replace("\n", "\r\n").encode())

    def answer(self, action, text):
        head, _, rest = text.partition("\n")
        self.say(f"{head}\nActionID: {action.get('ActionID', '')}\n{rest}\n")

    def serve(self):
        self.say("Asterisk Call Manager/11.0.0\n")
        store = b""
        while True:
            while b"\r\n\r\n" not in store:
                piece = self.connection.recv(65536)
                if not piece:
                    return
                store += piece
            block, _, store = store.partition(b"\r\n\r\n")
            self.take(dict(line.split(": ", 1) for line in block.decode().split("\r\n") if ": " in line))

    def take(self, a):
        name = a["Action"]
        self.home.actions.append((self.user, name))
        if name == "Challenge":
            self.answer(a, "Response: Success\nChallenge: 4711\n")
        elif name == "Login":
            key = hashlib.md5(("4711" + self.home.secret).encode()).hexdigest()
            if a.get("Key") == key or a.get("Secret") == self.home.secret:
                self.user = a["Username"]
                self.home.plain = "Secret" in a
                self.answer(a, "Response: Success\nMessage: Authentication accepted\n")
                self.say(self.home.greeting)
                self.home.sessions[self.user] = self
            else:
                self.answer(a, "Response: Error\nMessage: Authentication failed\n")
                raise ConnectionError
        elif name == "Ping":
            now = time.time() + self.home.shift
            self.answer(a, f"Response: Success\nPing: Pong\nTimestamp: {int(now)}.{int(now % 1 * 1e6):06d}\n")
        elif name == "CoreShowChannels":
            self.answer(a, "Response: Success\nEventList: start\nMessage: Channels will follow\n")
            for item in self.home.channels:
                self.answer(a, f"Event: CoreShowChannel\n{snapshot(item)}")
            self.answer(a, f"Event: CoreShowChannelsComplete\nEventList: Complete\nListItems: {len(self.home.channels)}\n")
        elif name == "Logoff":
            self.answer(a, "Response: Goodbye\nMessage: Thanks for all the fish.\n")
            raise ConnectionError
        elif name in self.home.answers:
            said = self.home.answers[name]
            if callable(said):
                said(self, a)
            else:
                self.answer(a, said)
        else:
            self.answer(a, "Response: Error\nMessage: Permission denied\n")


def snapshot(ident, number="20"):
    return (f"Channel: SIP/{ident}\nChannelState: 6\nChannelStateDesc: Up\nCallerIDNum: {number}\nCallerIDName: x\nConnectedLineNum: <unknown>\n"
            f"ConnectedLineName: <unknown>\nLanguage: en\nAccountCode: \nContext: c\nExten: 1\nPriority: 1\nUniqueid: {ident}\nLinkedid: {ident}\n")


def event(name, ident, more="", at=None):
    now = time.time() if at is None else at
    return f"Event: {name}\nPrivilege: call,all\nTimestamp: {int(now)}.{int(now % 1 * 1e6):06d}\n{snapshot(ident)}{more}\n"


class AmiStandin:
    def __init__(self, context, secret="s3", port=0, certificate=None):
        self.secret, self.shift, self.channels = secret, 0.0, []
        self.sessions, self.actions, self.plain = {}, [], None
        self.answers, self.greeting = {}, ""  # of actions that are not built in: text, or who answers (session, action); what follows an accepted login
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.open = []
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        context.at_end(self.close)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.open.append(connection)
            Session(self, connection).serve()
        except (OSError, ssl.SSLError, ConnectionError):
            pass
        finally:
            connection.close()

    def session(self, user, seconds=10):
        limit = time.monotonic() + seconds
        while user not in self.sessions:
            assert time.monotonic() < limit, f"{user} did not log in; {self.actions}"
            time.sleep(0.01)
        return self.sessions[user]

    def lose(self):
        """All connections break."""
        self.sessions.clear()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()

    def close(self):
        stop_accepting(self.listener, self.accepting)
        self.lose()


def authority(context, name, names="IP:127.0.0.1", days=2):
    """An own CA, and a certificate of 127.0.0.1 (or of other names) that it signed: (CA's file, the certificate's name without ending)."""
    ca, cert = context.path(name), context.path(name + "-server")
    extensions = context.write(name + ".ext", "subjectAltName=" + names)
    for command in (f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {ca}.key -out {ca}.pem",
                    f"openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout {cert}.key -out {cert}.csr",
                    f"openssl x509 -req -in {cert}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days {days} -extfile {extensions} -out {cert}.pem"):
        subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    return ca + ".pem", cert


def pin_of(certificate):
    """As curl wants it: sha256 of the public key in DER."""
    der = subprocess.run(f"openssl x509 -in {certificate}.pem -noout -pubkey | openssl pkey -pubin -outform der", shell=True, check=True,
                         capture_output=True, timeout=60).stdout
    import base64
    return "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()
