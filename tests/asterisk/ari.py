"""Requests to ARI; answers are (status, parsed JSON or None)."""
import base64
import json
import urllib.error
import urllib.parse
import urllib.request


class Ari:
    def __init__(self, port, user, password):
        self.base = f"http://127.0.0.1:{port}/ari/"
        self.auth = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy

    def request(self, method, path, body=None, seconds=10, **query):
        url = self.base + path.lstrip("/")
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(url, method=method, headers={"Authorization": self.auth},
                                         data=None if body is None else json.dumps(body).encode())
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with self.opener.open(request, timeout=seconds) as answer:
                return answer.status, self._json(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, self._json(refused.read())

    @staticmethod
    def _json(raw):
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            return None

    def get(self, path, **query):
        return self.request("GET", path, **query)

    def post(self, path, body=None, **query):
        return self.request("POST", path, body, **query)

    def delete(self, path, **query):
        return self.request("DELETE", path, **query)
